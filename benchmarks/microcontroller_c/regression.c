
/* Scores of linear classes: inputs are means over blocks of an image, or its pixels. */
void network_outputs(const network_number *sample, network_sum *outputs) {
#if BLOCK > 1
    uint8_t x[SIDE * SIDE];
    for (unsigned i = 0; i < SIDE; i++)
        for (unsigned j = 0; j < SIDE; j++) {
            uint16_t sum = 0;
            for (unsigned a = 0; a < BLOCK; a++)
                for (unsigned b = 0; b < BLOCK; b++)
                    sum += sample[(BORDER + i * BLOCK + a) * WIDTH + BORDER + j * BLOCK + b];
            x[i * SIDE + j] = (uint8_t)(sum >> SHIFT);
        }
#else
    const network_number *const x = sample;
#endif
    for (unsigned j = 0; j < NETWORK_OUTPUTS; j++) {
        int32_t z = constants[j];
        for (unsigned i = 0; i < SIDE * SIDE; i++)
            z += (int16_t)(weights[j][i] * x[i]); /* at most 127 x 255 */
        outputs[j] = z;
    }
}

unsigned network_class(const network_number *sample) {
    network_sum z[NETWORK_OUTPUTS];
    network_outputs(sample, z);
    unsigned best = 0;
    for (unsigned j = 1; j < NETWORK_OUTPUTS; j++)
        if (z[j] > z[best])
            best = j;
    return best;
}

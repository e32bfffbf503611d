/* One line of an answer; no division and no library, so that their code is not counted. */
static network_sum z[NETWORK_OUTPUTS];

static void number(int32_t value) {
    static const int32_t tens[] = {1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000,
                                   100, 10, 1};
    put(' ');
    if (value < 0) {
        put('-');
        value = -value;
    }
    for (int t = 0, begun = 0; t < 10; t++) {
        char digit = '0';
        for (; value >= tens[t]; value -= tens[t])
            digit++;
        if (digit != '0' || t == 9)
            begun = 1;
        if (begun)
            put(digit);
    }
}

static void answer(unsigned stack, unsigned fine, unsigned coarse, const network_number *sample,
                   unsigned class) {
    network_outputs(sample, z);
    put('=');
    number((int32_t)stack);
    number((int32_t)fine);
    number((int32_t)coarse);
    for (unsigned j = 0; j < NETWORK_OUTPUTS; j++)
        number((int32_t)z[j]);
    number((int32_t)class);
    put('\n');
}

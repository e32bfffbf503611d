/* Writes the outputs of every sample of standard input, as network_number, to standard output. */
#include <stdio.h>

#include "network.h"

int main(void) {
    network_number sample[NETWORK_NUMBERS];
    network_sum z[NETWORK_OUTPUTS];
    while (fread(sample, sizeof *sample, NETWORK_NUMBERS, stdin) == NETWORK_NUMBERS) {
        network_outputs(sample, z);
        for (int j = 0; j < NETWORK_OUTPUTS; j++) {
            int64_t wide = z[j];
            fwrite(&wide, sizeof wide, 1, stdout);
        }
    }
    return 0;
}

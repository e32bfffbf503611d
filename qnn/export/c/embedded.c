/* Reads samples from standard input and prints the class of each, or the predicted number.  A line
 * is a sample: NETWORK_NUMBERS numbers between blanks.  The first line that is none ends the program
 * with its number and exit code 2. */
#include <stdio.h>

#include "network.h"
#include "reading.h"

static network_number sample[NETWORK_NUMBERS];

#ifdef NETWORK_REAL
static int next_sample(unsigned long line) {
    return read_line(line, NETWORK_NUMBERS, sample, NULL, 0, 0);
}
#else
static int32_t whole[NETWORK_NUMBERS];

static int next_sample(unsigned long line) {
    int found = read_line(line, NETWORK_NUMBERS, NULL, whole, NETWORK_LEAST, NETWORK_MOST);
    for (unsigned long i = 0; found == 1 && i < NETWORK_NUMBERS; i++) {
        if (((uint32_t)whole[i] - (uint32_t)NETWORK_LEAST) % NETWORK_STEP) {
            fprintf(stderr, "line %lu, number %lu: expected %ld plus a multiple of %d\n", line,
                    i + 1, (long)NETWORK_LEAST, NETWORK_STEP);
            return -1;
        }
        sample[i] = (network_number)whole[i];
    }
    return found;
}
#endif

static int print_answer(void) {
#ifdef NETWORK_NAMES
    static const char *const names[] = NETWORK_NAMES;
    return printf("%s\n", names[network_class(sample)]);
#else
    network_sum z[NETWORK_OUTPUTS];
    network_outputs(sample, z);
    return printf("%.17g\n", (double)z[0] * NETWORK_SCALE + NETWORK_SHIFT);
#endif
}

int main(void) {
    unsigned long line = 1;
    int found;
    for (; (found = next_sample(line)) == 1; line++)
        if (print_answer() < 0)
            break;
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "standard output cannot be written to\n");
        return 2;
    }
    return found == 0 ? 0 : 2;
}

/* Reads samples from standard input and prints the class of each.  A line is a sample: numbers
 * between blanks, as many as the network has inputs.  The first line that is none ends the program
 * with its number and exit code 2. */
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qnn.h"

#define LONGEST 63 /* characters of a number */

extern const unsigned char qnn_data[];
extern const size_t qnn_data_size;

static int print_answer(const qnn_network *net, const int64_t *z) {
    uint32_t label = qnn_label(net, z);
    const char *name = qnn_class_name(net, label);
    if (qnn_is_regression(net))
        return printf("%.17g\n", qnn_score(net, z[0]));
    if (name)
        return printf("%s\n", name);
    if (net->outputs == 1)
        return printf("%s\n", label ? "+1" : "-1");
    return printf("%" PRIu32 "\n", label);
}

static int is_blank(int c) { return c == ' ' || c == '\t' || c == '\r'; }

/* The next word of a line, cut off after LONGEST characters; its length, 0 at the end of the line.
 * What comes after the word is in `after`. */
static size_t next_word(char *word, int *after) {
    size_t length = 0;
    int c = *after;
    while (is_blank(c))
        c = getchar();
    for (; c != EOF && c != '\n' && !is_blank(c) && length <= LONGEST; c = getchar())
        word[length++] = (char)c;
    word[length] = 0;
    *after = c;
    return length;
}

/* Neither a zero byte nor nan, infinity or a hexadecimal number passes. */
static int read_whole(const char *word, size_t length, int32_t *value) {
    char *end;
    long long found;
    errno = 0;
    found = strtoll(word, &end, 10);
    *value = (int32_t)found;
    return strspn(word, "+-0123456789") == length && end == word + length && !errno &&
           found >= INT32_MIN && found <= INT32_MAX;
}

static int read_real(const char *word, size_t length, float *value) {
    char *end;
    *value = strtof(word, &end);
    return strspn(word, "+-.0123456789eE") == length && end == word + length &&
           *value >= -FLT_MAX && *value <= FLT_MAX;
}

/* One line: 1 if it is a sample, 0 at the end of the input, -1 after an error that was told. */
static int read_sample(const qnn_network *net, unsigned long line, float *raw, int32_t *inputs) {
    char word[LONGEST + 2];
    size_t length;
    uint32_t i = 0;
    int after = getchar();
    if (after == EOF && !ferror(stdin))
        return 0;
    while ((length = next_word(word, &after)) > 0) {
        if (i == net->inputs || length > LONGEST ||
            !(net->thresholds ? read_real(word, length, &raw[i])
                              : read_whole(word, length, &inputs[i])))
            break;
        i++;
    }
    if (ferror(stdin))
        fprintf(stderr, "line %lu: standard input cannot be read\n", line);
    else if (i == net->inputs && length > 0)
        fprintf(stderr, "line %lu: expected %" PRIu32 " numbers, found more\n", line, i);
    else if (length > 0)
        fprintf(stderr, "line %lu, number %" PRIu32 ": expected a %s\n", line, i + 1,
                net->thresholds ? "finite number of single precision" : "whole number of 32 bits");
    else if (i < net->inputs)
        fprintf(stderr, "line %lu: expected %" PRIu32 " numbers, found %" PRIu32 "\n", line,
                net->inputs, i);
    else
        return 1;
    return -1;
}

/* Answers every line; the exit code. */
static int answer(const qnn_network *net, float *raw, int32_t *inputs, int64_t *z,
                  qnn_cell *work) {
    const qnn_lattice at = net->layers[0].lattice;
    unsigned long line = 1;
    int found;
    for (; (found = read_sample(net, line, raw, inputs)) == 1; line++) {
        if (net->thresholds)
            qnn_on_lattice(net, raw, inputs);
        if (qnn_outputs(net, inputs, z, work) != QNN_OK) {
            fprintf(stderr,
                    "line %lu: expected inputs %" PRId32 " + %lu q, q from 0 to %lu, "
                    "those that the network was trained on\n",
                    line, at.low, 1ul << at.shift, (1ul << at.planes) - 1);
            return 2;
        }
        if (print_answer(net, z) < 0)
            break;
    }
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "standard output cannot be written to\n");
        return 2;
    }
    return found == 0 ? 0 : 2;
}

int main(void) {
    qnn_network net;
    int error = qnn_open(&net, qnn_data, qnn_data_size), code = 2;
    int32_t *inputs = error ? NULL : malloc(net.inputs * sizeof *inputs);
    float *raw = error ? NULL : malloc(net.inputs * sizeof *raw);
    int64_t *z = error ? NULL : malloc(net.outputs * sizeof *z);
    qnn_cell *work = error ? NULL : malloc(qnn_workspace(&net) * sizeof *work);
    if (inputs && raw && z && work)
        code = answer(&net, raw, inputs, z, work);
    else if (error)
        fprintf(stderr, "the network cannot be used (error %d)\n", error);
    else
        fprintf(stderr, "not enough memory\n");
    free(inputs);
    free(raw);
    free(z);
    free(work);
    return code;
}

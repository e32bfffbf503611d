/* Reads samples from standard input and prints the class of each.  A line is a sample: numbers
 * between blanks, as many as the network has inputs.  The first line that is none ends the program
 * with its number and exit code 2. */
#include <inttypes.h>
#include <stdlib.h>

#include "qnn.h"
#include "reading.h"

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

/* One line: 1 if it is a sample, 0 at the end of the input, -1 after an error that was told. */
static int read_sample(const qnn_network *net, unsigned long line, float *real, int32_t *whole) {
    const int is_real = net->thresholds && !net->kind;
    return read_line(line, net->raw, is_real ? real : NULL, whole, INT32_MIN, INT32_MAX);
}

/* Answers every line; the exit code. */
static int answer(const qnn_network *net, float *real, int32_t *whole, int32_t *inputs,
                  int64_t *z, qnn_cell *work) {
    const qnn_lattice at = net->layers[0].lattice;
    unsigned long line = 1;
    int found;
    for (; (found = read_sample(net, line, real, whole)) == 1; line++) {
        if (net->thresholds && net->kind)
            qnn_whole_on_lattice(net, whole, inputs);
        else if (net->thresholds)
            qnn_on_lattice(net, real, inputs);
        else
            memcpy(inputs, whole, net->inputs * sizeof *inputs);
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
    int32_t *whole = error ? NULL : malloc(net.raw * sizeof *whole);
    float *real = error ? NULL : malloc(net.raw * sizeof *real);
    int64_t *z = error ? NULL : malloc(net.outputs * sizeof *z);
    qnn_cell *work = error ? NULL : malloc(qnn_workspace(&net) * sizeof *work);
    if (inputs && whole && real && z && work)
        code = answer(&net, real, whole, inputs, z, work);
    else if (error)
        fprintf(stderr, "the network cannot be used (error %d)\n", error);
    else
        fprintf(stderr, "not enough memory\n");
    free(inputs);
    free(whole);
    free(real);
    free(z);
    free(work);
    return code;
}

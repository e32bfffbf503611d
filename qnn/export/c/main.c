/* Reads samples from standard input, numbers between blanks, and prints the class of each. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "qnn.h"

extern const unsigned char qnn_data[];
extern const size_t qnn_data_size;

static void print_answer(const qnn_network *net, const int64_t *z) {
    uint32_t label = qnn_label(net, z);
    const char *name = qnn_class_name(net, label);
    if (qnn_is_regression(net))
        printf("%.17g\n", qnn_score(net, z[0]));
    else if (name)
        printf("%s\n", name);
    else if (net->outputs == 1)
        printf("%s\n", label ? "+1" : "-1");
    else
        printf("%" PRIu32 "\n", label);
}

/* One sample: 1 if there is one, 0 at the end, -1 if a number is missing or wrong. */
static int read_sample(const qnn_network *net, float *raw, int32_t *inputs) {
    uint32_t i = 0;
    while (i < net->inputs &&
           (net->thresholds ? scanf("%f", &raw[i]) : scanf("%" SCNd32, &inputs[i])) == 1)
        i++;
    if (i == net->inputs) {
        if (net->thresholds)
            qnn_on_lattice(net, raw, inputs);
        return 1;
    }
    return i == 0 && feof(stdin) ? 0 : -1;
}

int main(void) {
    qnn_network net;
    int error = qnn_open(&net, qnn_data, qnn_data_size), found = -1;
    int32_t *inputs = error ? NULL : malloc(net.inputs * sizeof *inputs);
    float *raw = error ? NULL : malloc(net.inputs * sizeof *raw);
    int64_t *z = error ? NULL : malloc(net.outputs * sizeof *z);
    qnn_cell *work = error ? NULL : malloc(qnn_workspace(&net) * sizeof *work);
    unsigned long sample = 1;
    if (!inputs || !raw || !z || !work)
        fprintf(stderr, "the network cannot be used (error %d)\n", error);
    else
        while ((found = read_sample(&net, raw, inputs)) == 1 &&
               qnn_outputs(&net, inputs, z, work) == QNN_OK) {
            print_answer(&net, z);
            sample++;
        }
    if (found != 0 && work)
        fprintf(stderr, "sample %lu: expected %" PRIu32 " numbers%s\n", sample, net.inputs,
                found == 1 ? " that the network takes" : "");
    free(inputs);
    free(raw);
    free(z);
    free(work);
    return found == 0 ? 0 : 2;
}

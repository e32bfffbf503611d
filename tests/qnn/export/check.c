/* For each FILE given: prints what qnn_open says, and writes the outputs of FILE.x to FILE.z.  FILE.x
 * holds 32-bit integers, or floats where the network takes real raw numbers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qnn.h"

static unsigned char *content(const char *path, const char *suffix, size_t *size) {
    char name[4096];
    FILE *file;
    unsigned char *data = NULL;
    snprintf(name, sizeof name, "%s%s", path, suffix);
    file = fopen(name, "rb");
    *size = 0;
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    data = malloc(*size + !*size); /* no byte more, so that a sanitizer sees reading beyond it */
    if (fread(data, 1, *size, file) != *size)
        exit(3);
    fclose(file);
    return data;
}

static int check(const char *path) {
    qnn_network net;
    size_t size, inputs_size, i;
    unsigned char *data = content(path, "", &size), *inputs = content(path, ".x", &inputs_size);
    int error = qnn_open(&net, data, size), range = 0;
    if (!error) {
        char name[4096];
        FILE *out;
        int64_t *z = malloc(net.outputs * sizeof *z);
        qnn_cell *work = malloc(qnn_workspace(&net) * sizeof *work);
        int32_t *x = malloc(net.inputs * sizeof *x);
        size_t row = net.raw * sizeof *x;
        void *raw = malloc(row);
        snprintf(name, sizeof name, "%s.z", path);
        out = fopen(name, "wb");
        for (i = 0; i + row <= inputs_size; i += row) {
            memcpy(raw, inputs + i, row);
            if (net.thresholds && net.kind)
                qnn_whole_on_lattice(&net, raw, x);
            else if (net.thresholds)
                qnn_on_lattice(&net, raw, x);
            else
                memcpy(x, raw, row);
            if (qnn_outputs(&net, x, z, work) != QNN_OK) {
                range = 1;
                continue;
            }
            (void)qnn_class_name(&net, qnn_label(&net, z));
            fwrite(z, sizeof *z, net.outputs, out);
        }
        fclose(out);
        free(z);
        free(work);
        free(x);
        free(raw);
    }
    free(data);
    free(inputs);
    return error ? error : range ? QNN_RANGE : QNN_OK;
}

int main(int count, char **paths) {
    int i;
    for (i = 1; i < count; i++)
        printf("%d\n", check(paths[i]));
    return 0;
}

/* Reader of packed networks: see docs/packed-file.md of qnn-ising.
 *
 * C99, no dependency, no allocation, no global state.  The file stays where it is, for instance in
 * flash memory, and is read in place.
 *
 *     qnn_network net;
 *     if (qnn_open(&net, data, size) != QNN_OK) ...
 *     qnn_cell *work = malloc(qnn_workspace(&net) * sizeof *work);
 *     int64_t z[10];                                   one for each of net.outputs
 *     if (qnn_outputs(&net, inputs, z, work) == QNN_OK)
 *         label = qnn_label(&net, z);
 */
#ifndef QNN_H
#define QNN_H

#include <stddef.h>
#include <stdint.h>

#define QNN_MOST_LAYERS 16

enum {
    QNN_OK = 0,
    QNN_NO_FILE = 1,  /* not a packed file of version 1 or 2 */
    QNN_CHECKSUM = 2, /* changed since it was written */
    QNN_DAMAGED = 3,  /* cut off, or it says what cannot be */
    QNN_RANGE = 4     /* an input that the network does not take */
};

/* Integers low + 2^shift q with 0 <= q < 2^planes; any integers if planes is 0. */
typedef struct {
    int32_t low;
    uint32_t shift, planes;
} qnn_lattice;

/* Bit planes, and the code that makes weights of them. */
typedef struct {
    uint32_t kind, bits, count;
    const uint8_t *levels, *planes;
} qnn_code;

/* What the units see: 0 all inputs, 1 a window on images, 2 the same with weights of +1. */
typedef struct {
    uint32_t kind, channels, height, width, filters, groups;
    uint32_t size[2], stride[2], padding[2], places[2];
    int32_t threshold;
} qnn_window;

typedef struct {
    uint32_t inputs, outputs, activation, unit, pieces;
    qnn_window window;
    qnn_lattice lattice;
    qnn_code weights, biases;
    const uint8_t *numbers;
} qnn_layer;

typedef struct {
    uint32_t depth, inputs, outputs, widest, flags;
    double scale, shift;
    uint32_t raw;        /* raw numbers of a sample */
    uint32_t thresholds; /* of an input; 0: the file takes no raw numbers */
    uint32_t kind;       /* 0: raw numbers are real; else they are whole */
    uint32_t columns, repeat, height, width, side, names_size;
    const uint8_t *threshold, *names;
    qnn_layer layers[QNN_MOST_LAYERS];
} qnn_network;

/* A cell of the memory to work in. */
typedef union {
    int64_t sum;
    uint64_t word;
    int32_t value;
} qnn_cell;

/* Check a file and find its parts.  The bytes must stay as long as the network is used. */
int qnn_open(qnn_network *net, const void *data, size_t size);

/* Number of cells that qnn_outputs needs to work in. */
size_t qnn_workspace(const qnn_network *net);

/* Integer outputs of one sample: net->inputs integers in, net->outputs integers out. */
int qnn_outputs(const qnn_network *net, const int32_t *inputs, int64_t *z, qnn_cell *work);

/* Number of the class, from the outputs. */
uint32_t qnn_label(const qnn_network *net, const int64_t *z);

/* Real value of an output. */
double qnn_score(const qnn_network *net, int64_t z);

/* Whether the answer is a score rather than a class. */
int qnn_is_regression(const qnn_network *net);

/* Name of a class; NULL if the file has none. */
const char *qnn_class_name(const qnn_network *net, uint32_t label);

/* net->raw raw numbers as inputs, if net->thresholds is not 0 and net->kind is 0. */
void qnn_on_lattice(const qnn_network *net, const float *raw, int32_t *inputs);

/* The same of whole numbers, if neither is 0. */
void qnn_whole_on_lattice(const qnn_network *net, const int32_t *raw, int32_t *inputs);

#endif

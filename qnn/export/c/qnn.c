/* Reader of packed networks, see qnn.h.  Sums are kept in uint64_t, which may wrap, and read as
 * int64_t: a file that a network was packed into stays far below, and no other file can do harm. */
#include "qnn.h"

#include <string.h>

enum { SCALE = 1, REGRESSION = 2, THRESHOLDS = 4, NAMES = 8 };
enum { NO_CODE = 0, TERNARY = 9, TABLE = 10 };
enum { LAST = 0, SIGN = 1, PIECES = 2 };
#define MOST_WIDTH (1u << 24)

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* -- numbers of the file ---------------------------------------------------------------------- */

INLINE uint32_t u16_at(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }

INLINE uint32_t u32_at(const uint8_t *p) { return u16_at(p) | u16_at(p + 2) << 16; }

INLINE uint64_t u64_at(const uint8_t *p) { return u32_at(p) | (uint64_t)u32_at(p + 4) << 32; }

INLINE int32_t i32_at(const uint8_t *p) { return (int32_t)u32_at(p); }

static double f64_at(const uint8_t *p) {
    uint64_t bits = u64_at(p);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float f32_at(const uint8_t *p) {
    uint32_t bits = u32_at(p);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t crc32_of(const uint8_t *p, size_t size) {
    uint32_t crc = 0xffffffffu;
    while (size--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

/* -- opening ---------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *at, *end;
} cursor;

/* The next bytes; NULL if there are not so many. */
static const uint8_t *take(cursor *file, uint64_t count) {
    const uint8_t *found = file->at;
    if (count > (uint64_t)(file->end - file->at))
        return NULL;
    file->at += count;
    return found;
}

static int read_lattice(cursor *file, qnn_lattice *lattice) {
    const uint8_t *p = take(file, 6);
    if (!p || p[4] > 30 || p[5] > 8)
        return 0;
    lattice->low = i32_at(p);
    lattice->shift = p[4];
    lattice->planes = p[5];
    return 1;
}

static int read_code(cursor *file, qnn_code *code) {
    const uint8_t *p = take(file, 1);
    if (!p || *p > TABLE)
        return 0;
    code->kind = *p;
    code->bits = *p == TERNARY ? 2 : *p;
    if (*p != TABLE)
        return 1;
    if (!(p = take(file, 2)))
        return 0;
    code->count = u16_at(p);
    code->levels = take(file, 4 * (uint64_t)code->count);
    for (code->bits = 1; 1u << code->bits < code->count; code->bits++)
        ;
    return code->levels && code->count >= 2 && code->count <= 256;
}

INLINE uint32_t bytes_of(uint32_t bits) { return (bits + 7) / 8; }

/* Number of the level of a weight, from its bit in each plane. */
INLINE uint32_t number_at(const qnn_code *code, uint32_t row, uint32_t column, uint32_t columns) {
    uint32_t size = bytes_of(columns), number = 0;
    const uint8_t *p = code->planes + (size_t)row * code->bits * size + column / 8;
    for (uint32_t b = 0; b < code->bits; b++, p += size)
        number |= (uint32_t)(*p >> column % 8 & 1) << b;
    return number;
}

static int read_planes(cursor *file, qnn_code *code, uint32_t rows, uint32_t columns) {
    code->planes = take(file, (uint64_t)rows * code->bits * bytes_of(columns));
    if (!code->planes)
        return 0;
    if (code->kind == TABLE)
        for (uint32_t row = 0; row < rows; row++)
            for (uint32_t column = 0; column < columns; column++)
                if (number_at(code, row, column, columns) >= code->count)
                    return 0;
    return 1;
}

/* The pieces of an activation, and the lattice and the unit of the next layer. */
static int read_activation(cursor *file, qnn_layer *layer, qnn_lattice *next, uint32_t *unit) {
    const uint8_t *p = take(file, 1);
    if (!p || *p > PIECES)
        return 0;
    layer->activation = *p;
    next->low = -1;
    next->shift = next->planes = 1;
    *unit = 1;
    if (layer->activation != PIECES)
        return 1;
    if (!(p = take(file, 6)) || !read_lattice(file, next))
        return 0;
    layer->pieces = u16_at(p);
    *unit = u32_at(p + 2);
    if (layer->pieces < 1)
        return 0;
    layer->numbers = take(file, 4 * (3 * (uint64_t)layer->pieces - 1));
    if (!layer->numbers)
        return 0;
    for (uint32_t i = 1; i + 1 < layer->pieces; i++)
        if (i32_at(layer->numbers + 4 * i) <= i32_at(layer->numbers + 4 * (i - 1)))
            return 0;
    return 1;
}

static int read_extras(cursor *file, qnn_network *net) {
    const uint8_t *p;
    net->scale = 1;
    if (net->flags & SCALE) {
        if (!(p = take(file, 16)))
            return 0;
        net->scale = f64_at(p);
        net->shift = f64_at(p + 8);
    }
    if (net->flags & THRESHOLDS) {
        if (!(p = take(file, 1)))
            return 0;
        net->thresholds = *p;
        if (!(net->threshold = take(file, 4 * (uint64_t)net->thresholds * net->inputs)))
            return 0;
    }
    if (net->flags & NAMES) {
        if (!(p = take(file, 2)))
            return 0;
        net->names_size = u16_at(p);
        if (!(net->names = take(file, net->names_size)))
            return 0;
        return net->names_size > 0 && net->names[net->names_size - 1] == 0;
    }
    return 1;
}

static int read_layers(cursor *file, qnn_network *net, qnn_lattice lattice) {
    uint32_t width = net->inputs, unit = 1;
    net->widest = width;
    for (uint32_t number = 0; number < net->depth; number++) {
        qnn_layer *layer = &net->layers[number];
        const uint8_t *p = take(file, 4);
        if (!p)
            return 0;
        layer->inputs = width;
        layer->outputs = width = u32_at(p);
        layer->lattice = lattice;
        layer->unit = unit;
        if (width < 1 || width > MOST_WIDTH || !read_code(file, &layer->weights) ||
            layer->weights.kind == NO_CODE || !read_code(file, &layer->biases) ||
            !read_activation(file, layer, &lattice, &unit) ||
            (layer->activation == LAST) != (number == net->depth - 1) ||
            !read_planes(file, &layer->weights, layer->outputs, layer->inputs) ||
            !read_planes(file, &layer->biases, 1, layer->outputs))
            return 0;
        if (width > net->widest)
            net->widest = width;
    }
    net->outputs = width;
    return 1;
}

int qnn_open(qnn_network *net, const void *data, size_t size) {
    const uint8_t *p = data;
    cursor file;
    qnn_lattice lattice;
    memset(net, 0, sizeof *net);
    if (size < 15 || memcmp(p, "QNNP\1", 5) != 0)
        return QNN_NO_FILE;
    net->end = p + size - 4;
    if (crc32_of(p, size - 4) != u32_at(net->end))
        return QNN_CHECKSUM;
    file.at = p + 11;
    file.end = net->end;
    net->flags = p[5];
    net->depth = p[6];
    net->inputs = u32_at(p + 7);
    if (net->depth < 1 || net->depth > QNN_MOST_LAYERS || net->inputs < 1 ||
        net->inputs > MOST_WIDTH || !read_lattice(&file, &lattice) || !read_extras(&file, net) ||
        !read_layers(&file, net, lattice) || file.at != file.end)
        return QNN_DAMAGED;
    return QNN_OK;
}

/* -- computing -------------------------------------------------------------------------------- */

/* Ones of a word: by the processor's own instruction if it is told that there is one. */
INLINE uint32_t ones_of(uint64_t x, int instruction) {
#if defined(__GNUC__)
    if (instruction)
        return (uint32_t)__builtin_popcountll(x);
#else
    (void)instruction;
#endif
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)(x * 0x0101010101010101u >> 56);
}

/* The last 1 to 7 bytes of a row as a word, read beyond the row if that is within the file. */
INLINE uint64_t tail_at(const uint8_t *p, uint32_t count, const uint8_t *end) {
    uint64_t word = 0;
    if (end - p >= 8)
        return u64_at(p) & (((uint64_t)1 << 8 * count) - 1);
    while (count--)
        word = word << 8 | p[count];
    return word;
}

/* Ones of a row XOR a plane of inputs, or of the row alone. */
INLINE uint32_t ones_of_row(const uint8_t *row, const uint64_t *plane, uint32_t size,
                            const uint8_t *end, int instruction) {
    uint32_t ones = 0, full = size / 8;
    for (uint32_t i = 0; i < full; i++)
        ones += ones_of(u64_at(row + 8 * i) ^ (plane ? plane[i] : 0), instruction);
    if (size % 8)
        ones += ones_of(tail_at(row + 8 * full, size % 8, end) ^ (plane ? plane[full] : 0),
                        instruction);
    return ones;
}

/* Sums of products by counting: each pair of planes of signs adds n - 2 ones of their XOR. */
INLINE void count_with(const qnn_layer *layer, const uint64_t *planes, int64_t *z,
                       const uint8_t *end, int instruction) {
    const uint32_t n = layer->inputs, size = bytes_of(n), words = (size + 7) / 8;
    const qnn_lattice at = layer->lattice;
    const uint32_t bits = layer->weights.bits, ternary = layer->weights.kind == TERNARY;
    const uint64_t middle =
        2 * (uint64_t)(int64_t)at.low + ((((uint64_t)1 << at.planes) - 1) << at.shift);
    const uint8_t *row = layer->weights.planes;
    for (uint32_t j = 0; j < layer->outputs; j++) {
        uint64_t sum = 0;
        for (uint32_t b = 0; b < bits; b++, row += size) {
            uint64_t part = 0;
            for (uint32_t k = 0; k < at.planes; k++) {
                uint32_t ones = ones_of_row(row, planes + (size_t)k * words, size, end, instruction);
                part += ((uint64_t)n - 2 * (uint64_t)ones) << (k + at.shift);
            }
            if (middle)
                part += middle * (2 * (uint64_t)ones_of_row(row, NULL, size, end, instruction) - n);
            sum += part << (ternary ? 0 : b + 1);
        }
        z[j] = (int64_t)sum / 4;
    }
}

#if defined(__GNUC__) && defined(__x86_64__) && !defined(__POPCNT__)
static __attribute__((target("popcnt"))) void count_by_instruction(
    const qnn_layer *layer, const uint64_t *planes, int64_t *z, const uint8_t *end) {
    count_with(layer, planes, z, end, 1);
}

static void count(const qnn_layer *layer, const uint64_t *planes, int64_t *z, const uint8_t *end) {
    if (__builtin_cpu_supports("popcnt"))
        count_by_instruction(layer, planes, z, end);
    else
        count_with(layer, planes, z, end, 0);
}
#elif defined(__POPCNT__) || defined(__aarch64__)
static void count(const qnn_layer *layer, const uint64_t *planes, int64_t *z, const uint8_t *end) {
    count_with(layer, planes, z, end, 1);
}
#else
static void count(const qnn_layer *layer, const uint64_t *planes, int64_t *z, const uint8_t *end) {
    count_with(layer, planes, z, end, 0);
}
#endif

/* Inputs as bit planes; 0 if one is not on the lattice. */
static int to_planes(const qnn_layer *layer, const int64_t *a, uint64_t *planes) {
    const qnn_lattice at = layer->lattice;
    const uint32_t words = (layer->inputs + 63) / 64;
    const uint64_t low = (uint64_t)(int64_t)at.low;
    const uint64_t outside = ~(((((uint64_t)1 << at.planes) - 1) << at.shift));
    uint64_t wrong = 0;
    for (uint32_t i = 0; i < layer->inputs; i++)
        wrong |= ((uint64_t)a[i] - low) & outside;
    for (uint32_t k = 0; k < at.planes; k++)
        for (uint32_t w = 0; w < words; w++) {
            const int64_t *from = a + 64 * (size_t)w;
            const uint32_t rest = layer->inputs - 64 * w, most = rest < 64 ? rest : 64;
            uint64_t word = 0;
            for (uint32_t i = 0; i < most; i++)
                word |= (((uint64_t)from[i] - low) >> (k + at.shift) & 1) << i;
            planes[(size_t)k * words + w] = word;
        }
    return wrong == 0;
}

static int64_t level_at(const qnn_code *code, uint32_t row, uint32_t column, uint32_t columns) {
    uint32_t number;
    if (code->kind == NO_CODE)
        return 0;
    number = number_at(code, row, column, columns);
    if (code->kind == TABLE)
        return i32_at(code->levels + 4 * (size_t)number);
    if (code->kind == TERNARY)
        return (int64_t)(number & 1) + (number >> 1) - 1;
    return 2 * (int64_t)number - ((int64_t)1 << code->bits) + 1;
}

/* Sums of products of any integers. */
static void multiply(const qnn_layer *layer, const int64_t *a, int64_t *z) {
    for (uint32_t j = 0; j < layer->outputs; j++) {
        uint64_t sum = 0;
        for (uint32_t i = 0; i < layer->inputs; i++)
            sum += (uint64_t)level_at(&layer->weights, j, i, layer->inputs) * (uint64_t)a[i];
        z[j] = (int64_t)sum;
    }
}

static int64_t activation(const qnn_layer *layer, int64_t z) {
    const uint32_t count = layer->pieces;
    const uint8_t *slopes, *intercepts;
    uint32_t piece = 0;
    if (layer->activation == SIGN)
        return z >= 0 ? 1 : -1;
    if (layer->activation == LAST)
        return z;
    while (piece < count - 1 && z >= i32_at(layer->numbers + 4 * (size_t)piece))
        piece++;
    slopes = layer->numbers + 4 * (size_t)(count - 1);
    intercepts = slopes + 4 * (size_t)count;
    return (int64_t)((uint64_t)(int64_t)i32_at(slopes + 4 * (size_t)piece) * (uint64_t)z +
                     (uint64_t)(int64_t)i32_at(intercepts + 4 * (size_t)piece));
}

size_t qnn_workspace(const qnn_network *net) {
    return 2 * (size_t)net->widest + 8 * (((size_t)net->widest + 63) / 64);
}

int qnn_outputs(const qnn_network *net, const int32_t *inputs, int64_t *z, uint64_t *work) {
    int64_t *a = (int64_t *)work, *next = a + net->widest;
    uint64_t *planes = work + 2 * (size_t)net->widest;
    for (uint32_t i = 0; i < net->inputs; i++)
        a[i] = inputs[i];
    for (uint32_t number = 0; number < net->depth; number++) {
        const qnn_layer *layer = &net->layers[number];
        int64_t *out = number + 1 < net->depth ? next : z;
        if (layer->lattice.planes && layer->weights.kind != TABLE) {
            if (!to_planes(layer, a, planes))
                return QNN_RANGE;
            count(layer, planes, out, net->end);
        } else {
            multiply(layer, a, out);
        }
        for (uint32_t j = 0; j < layer->outputs; j++)
            out[j] = activation(
                layer, (int64_t)((uint64_t)out[j] +
                                 (uint64_t)layer->unit *
                                     (uint64_t)level_at(&layer->biases, 0, j, layer->outputs)));
        next = a;
        a = out;
    }
    return QNN_OK;
}

/* -- what the outputs mean -------------------------------------------------------------------- */

uint32_t qnn_label(const qnn_network *net, const int64_t *z) {
    uint32_t best = 0;
    if (net->outputs == 1)
        return z[0] >= 0;
    for (uint32_t j = 1; j < net->outputs; j++)
        if (z[j] > z[best])
            best = j;
    return best;
}

double qnn_score(const qnn_network *net, int64_t z) { return (double)z * net->scale + net->shift; }

int qnn_is_regression(const qnn_network *net) { return (net->flags & REGRESSION) != 0; }

const char *qnn_class_name(const qnn_network *net, uint32_t label) {
    const char *at = (const char *)net->names, *end = at + net->names_size;
    while (net->names_size && label-- && at < end)
        at += strlen(at) + 1;
    return net->names_size && at < end ? at : NULL;
}

void qnn_on_lattice(const qnn_network *net, const float *raw, int32_t *inputs) {
    const qnn_lattice at = net->layers[0].lattice;
    for (uint32_t i = 0; i < net->inputs; i++) {
        uint32_t above = 0;
        for (uint32_t t = 0; t < net->thresholds; t++)
            above += raw[i] > f32_at(net->threshold + 4 * ((size_t)t * net->inputs + i));
        inputs[i] = (int32_t)((uint32_t)at.low + (above << at.shift));
    }
}

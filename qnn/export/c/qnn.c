/* Reader of packed networks, see qnn.h.  Sums are kept in uint64_t, which may wrap, and read as
 * int64_t: a file that a network was packed into stays far below, and no other file can do harm. */
#include "qnn.h"

#include <string.h>

/* -DQNN_PORTABLE leaves out what needs more than C99. */
#if !defined(QNN_PORTABLE) && defined(__SSE2__)
#define WITH_SSE2
#include <emmintrin.h>
#endif
#if !defined(QNN_PORTABLE) && defined(__GNUC__)
#define WITH_GNU
#endif

enum { SCALE = 1, REGRESSION = 2, THRESHOLDS = 4, NAMES = 8 };
enum { NO_CODE = 0, TERNARY = 9, TABLE = 10, INTEGER = 11 };
enum { LAST = 0, SIGN = 1, PIECES = 2, CLIP = 3 };
enum { REAL = 0, SHARED = 128 };
#define MOST_WIDTH (1u << 24)

#if defined(WITH_GNU)
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
    uint32_t version;
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
    if (!p || p[5] > 8 || p[4] + p[5] > 31)
        return 0;
    lattice->low = i32_at(p);
    lattice->shift = p[4];
    lattice->planes = p[5];
    return 1;
}

static int read_code(cursor *file, qnn_code *code) {
    const uint8_t *p = take(file, 1);
    if (!p || *p > (file->version > 1 ? INTEGER : TABLE))
        return 0;
    code->kind = *p;
    code->bits = *p == TERNARY ? 2 : *p;
    if (*p == INTEGER) {
        if (!(p = take(file, 1)))
            return 0;
        code->bits = *p;
        return code->bits >= 1 && code->bits <= 32;
    }
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
    const uint32_t size = bytes_of(columns);
    uint32_t number = 0;
    const uint8_t *p = code->planes + (size_t)row * code->bits * size + column / 8;
    for (uint32_t b = 0; b < code->bits; b++, p += size)
        number |= (uint32_t)(*p >> column % 8 & 1) << b;
    return number;
}

static int read_planes(cursor *file, qnn_code *code, uint32_t rows, uint32_t columns) {
    code->planes = take(file, (uint64_t)rows * code->bits * bytes_of(columns));
    if (!code->planes)
        return 0;
    if (columns % 8) /* nothing but zeros after the end of a plane */
        for (uint64_t plane = 1; plane <= (uint64_t)rows * code->bits; plane++)
            if (code->planes[plane * bytes_of(columns) - 1] >> columns % 8)
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
    if (!p || *p > (file->version > 1 ? CLIP : PIECES))
        return 0;
    layer->activation = *p;
    next->low = -1;
    next->shift = next->planes = 1;
    *unit = 1;
    if (layer->activation < PIECES)
        return 1;
    if (!(p = take(file, 6)) || !read_lattice(file, next))
        return 0;
    layer->pieces = u16_at(p);
    *unit = u32_at(p + 2);
    if (layer->pieces < 1)
        return 0;
    if (layer->activation == CLIP) {
        layer->numbers = take(file, 13);
        return layer->numbers && layer->numbers[0] <= 31;
    }
    layer->numbers = take(file, 4 * (3 * (uint64_t)layer->pieces - 1));
    if (!layer->numbers)
        return 0;
    for (uint32_t i = 1; i + 1 < layer->pieces; i++)
        if (i32_at(layer->numbers + 4 * i) <= i32_at(layer->numbers + 4 * (i - 1)))
            return 0;
    return 1;
}

/* Bytes of a threshold: f32, u8, i16, i32. */
INLINE uint32_t size_of_kind(uint32_t kind) { return kind == 1 ? 1 : kind == 2 ? 2 : 4; }

static int read_thresholds(cursor *file, qnn_network *net) {
    const uint8_t *p = take(file, 1);
    uint32_t side = 1;
    if (!p)
        return 0;
    net->thresholds = *p;
    net->columns = net->inputs;
    if (file->version > 1) {
        if (!(p = take(file, 6)))
            return 0;
        net->kind = p[0] & (SHARED - 1);
        net->columns = p[0] & SHARED ? 1 : net->inputs;
        net->repeat = p[1];
        net->height = u16_at(p + 2);
        net->width = u16_at(p + 4);
        if (net->kind > 3 || !net->repeat || net->inputs % net->repeat)
            return 0;
    }
    net->raw = net->inputs / net->repeat;
    if (net->height || net->width) {
        while (side * side < net->inputs) /* at most 2^24 inputs */
            side++;
        net->side = side;
        net->raw = net->height * net->width;
        if (!net->raw || side * side != net->inputs || net->height < side || net->width < side ||
            net->height % side % 2 || net->width % side % 2 ||
            net->repeat > 1 || net->kind == REAL)
            return 0;
    }
    net->threshold =
        take(file, size_of_kind(net->kind) * (uint64_t)net->thresholds * net->columns);
    return net->threshold != NULL;
}

static int read_extras(cursor *file, qnn_network *net) {
    const uint8_t *p;
    net->scale = net->repeat = 1;
    net->raw = net->inputs;
    if (net->flags & SCALE) {
        if (!(p = take(file, 16)))
            return 0;
        net->scale = f64_at(p);
        net->shift = f64_at(p + 8);
    }
    if ((net->flags & THRESHOLDS) && !read_thresholds(file, net))
        return 0;
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

/* The window of a layer: 0 if it does not fit the inputs. */
static int read_window(cursor *file, qnn_layer *layer) {
    qnn_window *w = &layer->window;
    const uint8_t *p;
    if (file->version < 3)
        return 1;
    if (!(p = take(file, 1)) || *p > 2)
        return 0;
    w->kind = *p;
    if (!w->kind)
        return 1;
    if (!(p = take(file, 16)))
        return 0;
    w->channels = u16_at(p);
    w->height = u16_at(p + 2);
    w->width = u16_at(p + 4);
    w->filters = u16_at(p + 6);
    w->groups = u16_at(p + 14);
    if ((uint64_t)w->channels * w->height * w->width != layer->inputs || !w->groups ||
        !w->filters || w->channels % w->groups || w->filters % w->groups)
        return 0;
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t side = i ? w->width : w->height;
        w->size[i] = p[8 + i];
        w->stride[i] = p[10 + i];
        w->padding[i] = p[12 + i];
        if (!w->size[i] || w->size[i] > side + 2 * w->padding[i] || !w->stride[i] ||
            w->padding[i] >= w->size[i])
            return 0;
        w->places[i] = (side + 2 * w->padding[i] - w->size[i]) / w->stride[i] + 1;
    }
    if (w->kind == 2) {
        if (!(p = take(file, 4)))
            return 0;
        w->threshold = i32_at(p);
    }
    return 1;
}

static int read_layers(cursor *file, qnn_network *net, qnn_lattice lattice) {
    uint32_t width = net->inputs, unit = 1;
    net->widest = width;
    for (uint32_t number = 0; number < net->depth; number++) {
        qnn_layer *layer = &net->layers[number];
        const qnn_window *window = &layer->window;
        const uint8_t *p;
        uint32_t rows, columns;
        layer->inputs = width;
        if (!read_window(file, layer) || !(p = take(file, 4)))
            return 0;
        layer->outputs = width = u32_at(p);
        rows = window->kind ? window->filters : layer->outputs;
        columns = window->kind ? window->channels / window->groups * window->size[0] *
                                     window->size[1]
                               : layer->inputs;
        if (window->kind &&
            (uint64_t)rows * window->places[0] * window->places[1] != layer->outputs)
            return 0;
        layer->lattice = lattice;
        layer->unit = unit;
        if (width < 1 || width > MOST_WIDTH ||
            (window->kind != 2 &&
             (!read_code(file, &layer->weights) || layer->weights.kind == NO_CODE ||
              !read_code(file, &layer->biases))) ||
            !read_activation(file, layer, &lattice, &unit) ||
            (layer->activation == LAST) != (number == net->depth - 1) ||
            (window->kind != 2 && (!read_planes(file, &layer->weights, rows, columns) ||
                                   !read_planes(file, &layer->biases, 1, rows))))
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
    if (size < 15 || memcmp(p, "QNNP", 4) != 0 || p[4] < 1 || p[4] > 3)
        return QNN_NO_FILE;
    file.version = p[4];
    file.at = p + 11;
    file.end = p + size - 4;
    if (crc32_of(p, size - 4) != u32_at(file.end))
        return QNN_CHECKSUM;
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

static int64_t level_of(const qnn_code *code, uint32_t number) {
    if (code->kind == TABLE)
        return i32_at(code->levels + 4 * (size_t)number);
    if (code->kind == TERNARY)
        return (int64_t)(number & 1) + (number >> 1) - 1;
    if (code->kind == INTEGER)
        return (int64_t)number - ((int64_t)1 << (code->bits - 1));
    return 2 * (int64_t)number - ((int64_t)1 << code->bits) + 1;
}

/* Every output with its threshold. */
static void add_thresholds(const qnn_layer *layer, int64_t *z) {
    const qnn_code *code = &layer->biases;
    if (code->kind != NO_CODE)
        for (uint32_t j = 0; j < layer->outputs; j++)
            z[j] = (int64_t)((uint64_t)z[j] + layer->unit * (uint64_t)level_of(code, number_at(code, 0, j, layer->outputs)));
}

/* Ones of a word: by the processor's own instruction if it is told that there is one. */
INLINE uint32_t ones_of(uint64_t x, int instruction) {
#if defined(WITH_GNU)
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

/* Ones of a row XOR a plane of inputs.  The bytes of the last word that are before the row are
 * other parts of the file, of which there are enough, and are shifted out. */
INLINE uint32_t ones_of_row(const uint8_t *row, const uint64_t *plane, uint32_t size,
                            int instruction) {
    const uint32_t full = size / 8, cut = (64 - 8 * (size % 8)) & 63;
    uint32_t ones = 0;
    for (uint32_t i = 0; i < full; i++)
        ones += ones_of(u64_at(row + 8 * i) ^ plane[i], instruction);
    if (cut)
        ones += ones_of(u64_at(row + size - 8) >> cut ^ plane[full], instruction);
    return ones;
}

/* Outputs by counting: each pair of planes of signs adds n - 2 ones of their XOR.  The
 * plane after those of the inputs is zero, which counts the ones of the row alone. */
INLINE void count_with(const qnn_layer *layer, const uint64_t *planes, int64_t *z,
                       int instruction) {
    const uint32_t n = layer->inputs, size = bytes_of(n), words = (n + 63) / 64;
    const uint32_t bits = layer->weights.bits, outputs = layer->outputs;
    const uint32_t first = layer->weights.kind != TERNARY; /* of twice the weight, by the lowest */
    const qnn_lattice at = layer->lattice;
    const uint64_t middle =
        2 * (uint64_t)(int64_t)at.low + ((((uint64_t)1 << at.planes) - 1) << at.shift);
    const uint8_t *row = layer->weights.planes;
    if (bits == 1 && at.planes == 1 && middle == 0 && layer->biases.kind <= 1) {
        const int64_t scale = -(int64_t)at.low; /* inputs are low and -low */
        const int64_t unit = layer->biases.kind ? (int64_t)layer->unit : 0;
        const uint8_t *above = layer->biases.kind ? layer->biases.planes : row;
        for (uint32_t j = 0; j < outputs; j++, row += size) {
            const int64_t ones = ones_of_row(row, planes, size, instruction);
            z[j] = scale * (n - 2 * ones) - unit + (2 * unit & -(int64_t)(above[j / 8] >> j % 8 & 1));
        }
        return;
    }
    for (uint32_t j = 0; j < outputs; j++) {
        uint64_t sum = 0;
        for (uint32_t b = 0; b < bits; b++, row += size) {
            uint64_t part = 0, ones;
            for (uint32_t k = 0; k < at.planes; k++) {
                ones = ones_of_row(row, planes + (size_t)k * words, size, instruction);
                part += (n - 2 * ones) << (k + at.shift);
            }
            if (middle) {
                ones = ones_of_row(row, planes + (size_t)at.planes * words, size, instruction);
                part += middle * (2 * ones - n);
            }
            sum += part << (first ? b + 1 : 0);
        }
        z[j] = (int64_t)sum / 4;
    }
    add_thresholds(layer, z);
}

#if defined(WITH_GNU) && defined(__x86_64__) && !defined(__POPCNT__)
static __attribute__((target("popcnt"))) void count_by_instruction(const qnn_layer *layer,
                                                                   const uint64_t *planes,
                                                                   int64_t *z) {
    count_with(layer, planes, z, 1);
}

static void count(const qnn_layer *layer, const uint64_t *planes, int64_t *z) {
    if (__builtin_cpu_supports("popcnt"))
        count_by_instruction(layer, planes, z);
    else
        count_with(layer, planes, z, 0);
}
#elif defined(WITH_GNU) && (defined(__POPCNT__) || defined(__aarch64__))
static void count(const qnn_layer *layer, const uint64_t *planes, int64_t *z) {
    count_with(layer, planes, z, 1);
}
#else
static void count(const qnn_layer *layer, const uint64_t *planes, int64_t *z) {
    count_with(layer, planes, z, 0);
}
#endif

#if defined(WITH_SSE2)
/* Inputs as bits in the planes, sixteen at a time, without the last n % 16; all bits seen. */
static uint32_t sixteen_at_once(const int32_t *a, uint32_t n, qnn_lattice at, uint64_t *planes) {
    const uint32_t words = (n + 63) / 64;
    const __m128i low = _mm_set1_epi32(at.low);
    __m128i seen = _mm_setzero_si128();
    for (uint32_t i = 0; i + 16 <= n; i += 16) {
        const __m128i *from = (const __m128i *)(a + i);
        const __m128i p = _mm_sub_epi32(_mm_loadu_si128(from), low);
        const __m128i q = _mm_sub_epi32(_mm_loadu_si128(from + 1), low);
        const __m128i r = _mm_sub_epi32(_mm_loadu_si128(from + 2), low);
        const __m128i s = _mm_sub_epi32(_mm_loadu_si128(from + 3), low);
        seen = _mm_or_si128(seen, _mm_or_si128(_mm_or_si128(p, q), _mm_or_si128(r, s)));
        for (uint32_t k = 0; k < at.planes; k++) { /* each bit to the top, where a mask is made */
            const __m128i up = _mm_cvtsi32_si128((int)(31 - k - at.shift));
            const __m128i first = _mm_packs_epi32(_mm_sll_epi32(p, up), _mm_sll_epi32(q, up));
            const __m128i second = _mm_packs_epi32(_mm_sll_epi32(r, up), _mm_sll_epi32(s, up));
            const int mask = _mm_movemask_epi8(_mm_packs_epi16(first, second));
            planes[(size_t)k * words + i / 64] |= (uint64_t)(uint32_t)mask << i % 64;
        }
    }
    seen = _mm_or_si128(seen, _mm_unpackhi_epi64(seen, seen));
    return (uint32_t)_mm_cvtsi128_si32(_mm_or_si128(seen, _mm_shuffle_epi32(seen, 1)));
}
#endif

/* Inputs as bit planes, and a plane of zeros; 0 if one is not on the lattice. */
static int to_planes(const qnn_layer *layer, const int32_t *a, uint64_t *planes) {
    const qnn_lattice at = layer->lattice;
    const uint32_t n = layer->inputs, words = (n + 63) / 64;
    uint32_t seen = 0, i = 0;
    memset(planes, 0, (at.planes + (size_t)1) * words * sizeof *planes);
#if defined(WITH_SSE2)
    seen = sixteen_at_once(a, n, at, planes);
    i = n - n % 16;
#endif
    for (; i < n; i++) {
        const uint32_t above = (uint32_t)a[i] - (uint32_t)at.low;
        seen |= above;
        for (uint32_t k = 0; k < at.planes; k++)
            planes[(size_t)k * words + i / 64] |= (uint64_t)(above >> (k + at.shift) & 1) << i % 64;
    }
    return seen >> at.shift >> at.planes == 0 && (seen & ((1u << at.shift) - 1)) == 0;
}

/* The same question, of inputs that are multiplied. */
static int on_lattice(const qnn_layer *layer, const int32_t *a) {
    const qnn_lattice at = layer->lattice;
    uint32_t seen = 0;
    if (!at.planes)
        return 1;
    for (uint32_t i = 0; i < layer->inputs; i++) {
        const uint32_t above = (uint32_t)a[i] - (uint32_t)at.low;
        seen |= above >> at.shift >> at.planes | (above & ((1u << at.shift) - 1));
    }
    return seen == 0;
}

/* Outputs by products of any integers. */
static void multiply(const qnn_layer *layer, const int32_t *a, int64_t *z) {
    const uint32_t n = layer->inputs;
    for (uint32_t j = 0; j < layer->outputs; j++) {
        uint64_t sum = 0;
        for (uint32_t i = 0; i < n; i++)
            sum += (uint64_t)level_of(&layer->weights, number_at(&layer->weights, j, i, n)) *
                   (uint64_t)(int64_t)a[i];
        z[j] = (int64_t)sum;
    }
    add_thresholds(layer, z);
}

/* Outputs of a window: at each place the products of what it sees. */
static void slide(const qnn_layer *layer, const int32_t *a, int64_t *z) {
    const qnn_window *w = &layer->window;
    const uint32_t depth = w->channels / w->groups, share = w->filters / w->groups;
    const uint32_t taps = depth * w->size[0] * w->size[1];
    for (uint32_t f = 0; f < w->filters; f++) {
        const int32_t *images = a + (size_t)(f / share) * depth * w->height * w->width;
        int64_t *out = z + (size_t)f * w->places[0] * w->places[1];
        const uint64_t start =
            w->kind == 2 ? (uint64_t)(int64_t)w->threshold
            : layer->biases.kind == NO_CODE
                ? 0
                : layer->unit *
                      (uint64_t)level_of(&layer->biases, number_at(&layer->biases, 0, f, w->filters));
        for (uint32_t i = 0; i < w->places[0] * w->places[1]; i++)
            out[i] = (int64_t)start;
        for (uint32_t k = 0; k < taps; k++) { /* one weight is looked up for all places */
            const uint32_t c = k / (w->size[0] * w->size[1]);
            const uint32_t down = k / w->size[1] % w->size[0], across = k % w->size[1];
            const uint64_t weight =
                w->kind == 2
                    ? 1
                    : (uint64_t)level_of(&layer->weights, number_at(&layer->weights, f, k, taps));
            for (uint32_t y = 0; y < w->places[0]; y++) {
                const uint32_t row = y * w->stride[0] + down - w->padding[0];
                const int32_t *from;
                if (row >= w->height) /* beyond the edge, where it has wrapped around, too */
                    continue;
                from = images + ((size_t)c * w->height + row) * w->width;
                for (uint32_t x = 0; x < w->places[1]; x++) {
                    const uint32_t column = x * w->stride[1] + across - w->padding[1];
                    int64_t *sum = out + (size_t)y * w->places[1] + x;
                    if (column < w->width)
                        *sum = (int64_t)((uint64_t)*sum + weight * (uint64_t)(int64_t)from[column]);
                }
            }
        }
    }
}

static int32_t piece_value(const qnn_layer *layer, int64_t z) {
    const uint32_t count = layer->pieces;
    const uint8_t *slopes = layer->numbers + 4 * (size_t)(count - 1);
    const uint8_t *intercepts = slopes + 4 * (size_t)count;
    uint32_t piece = 0;
    while (piece < count - 1 && z >= i32_at(layer->numbers + 4 * (size_t)piece))
        piece++;
    return (int32_t)((uint64_t)(int64_t)i32_at(slopes + 4 * (size_t)piece) * (uint64_t)z +
                     (uint64_t)(int64_t)i32_at(intercepts + 4 * (size_t)piece));
}

/* Shifted down, whatever the compiler does with a negative number. */
INLINE int64_t shifted(int64_t z, uint32_t shift) {
    return z < 0 ? ~(~z >> shift) : z >> shift;
}

static int32_t clip_value(const qnn_layer *layer, int64_t z) {
    const uint8_t *p = layer->numbers;
    const int64_t most = (int64_t)layer->pieces - 1;
    int64_t q = shifted(z, p[0]), first = i32_at(p + 1);
    q = q < first ? 0 : q > first + most ? most : q - first;
    return (int32_t)((uint32_t)i32_at(p + 5) + (uint32_t)i32_at(p + 9) * (uint32_t)q);
}

/* The signs of sums as the one plane of the next layer, and a plane of zeros. */
static void signs_to_planes(const int64_t *z, uint32_t n, uint64_t *planes) {
    const uint32_t words = (n + 63) / 64;
    memset(planes + words, 0, words * sizeof *planes);
    for (uint32_t w = 0; w < words; w++) {
        uint64_t word = 0;
        for (uint32_t i = n - 64 * w < 64 ? n - 64 * w : 64; i-- > 0;)
            word = 2 * word + ((uint64_t)~z[64 * (size_t)w + i] >> 63);
        planes[w] = word;
    }
}

static const int32_t *activate(const qnn_layer *layer, const int64_t *z, int32_t *a) {
    if (layer->activation == SIGN)
        for (uint32_t j = 0; j < layer->outputs; j++)
            a[j] = 1 - 2 * (int32_t)((uint64_t)z[j] >> 63);
    else if (layer->activation == CLIP)
        for (uint32_t j = 0; j < layer->outputs; j++)
            a[j] = clip_value(layer, z[j]);
    else
        for (uint32_t j = 0; j < layer->outputs; j++)
            a[j] = piece_value(layer, z[j]);
    return a;
}

/* Whether a layer's sums are counted in bit planes, rather than multiplied. */
static int counts(const qnn_layer *layer) {
    return layer->lattice.planes && layer->weights.kind < TABLE && !layer->window.kind;
}

size_t qnn_workspace(const qnn_network *net) {
    return 2 * (size_t)net->widest + 9 * (((size_t)net->widest + 63) / 64);
}

int qnn_outputs(const qnn_network *net, const int32_t *inputs, int64_t *z, qnn_cell *work) {
    int64_t *sums = &work[0].sum;
    int32_t *values = &work[net->widest].value;
    uint64_t *planes = &work[2 * (size_t)net->widest].word;
    const int32_t *a = inputs; /* NULL once they are in planes */
    for (uint32_t number = 0; number < net->depth; number++) {
        const qnn_layer *layer = &net->layers[number];
        int64_t *out = layer->activation == LAST ? z : sums;
        if (counts(layer)) {
            if (a && !to_planes(layer, a, planes))
                return QNN_RANGE;
            count(layer, planes, out);
        } else {
            if (!on_lattice(layer, a))
                return QNN_RANGE;
            if (layer->window.kind)
                slide(layer, a, out);
            else
                multiply(layer, a, out);
        }
        a = NULL;
        if (layer->activation == SIGN && counts(layer + 1))
            signs_to_planes(out, layer->outputs, planes);
        else if (layer->activation != LAST)
            a = activate(layer, out, values);
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

static int32_t level_at(const qnn_network *net, uint32_t above) {
    const qnn_lattice at = net->layers[0].lattice;
    return (int32_t)((uint32_t)at.low + (above << at.shift));
}

void qnn_on_lattice(const qnn_network *net, const float *raw, int32_t *inputs) {
    for (uint32_t i = 0; i < net->inputs; i++) {
        const uint8_t *p = net->threshold + 4 * (size_t)(net->columns > 1 ? i : 0);
        uint32_t above = 0;
        for (uint32_t t = 0; t < net->thresholds; t++, p += 4 * (size_t)net->columns)
            above += raw[i / net->repeat] > f32_at(p);
        inputs[i] = level_at(net, above);
    }
}

/* Sum of the raw numbers that make an input. */
static int64_t block_sum(const qnn_network *net, const int32_t *raw, uint32_t input) {
    uint32_t height, width;
    int64_t sum = 0;
    if (!net->side)
        return raw[input / net->repeat];
    height = net->height / net->side;
    width = net->width / net->side;
    raw += net->height % net->side / 2 * (size_t)net->width + net->width % net->side / 2;
    raw += (size_t)(input / net->side) * height * net->width + (size_t)(input % net->side) * width;
    for (uint32_t y = 0; y < height; y++, raw += net->width)
        for (uint32_t x = 0; x < width; x++)
            sum += raw[x];
    return sum;
}

void qnn_whole_on_lattice(const qnn_network *net, const int32_t *raw, int32_t *inputs) {
    const uint32_t size = size_of_kind(net->kind);
    for (uint32_t i = 0; i < net->inputs; i++) {
        const uint8_t *p = net->threshold + size * (size_t)(net->columns > 1 ? i : 0);
        const int64_t sum = block_sum(net, raw, i);
        uint32_t above = 0;
        for (uint32_t t = 0; t < net->thresholds; t++, p += size * (size_t)net->columns)
            above += sum > (size == 1 ? *p : size == 2 ? (int16_t)u16_at(p) : i32_at(p));
        inputs[i] = level_at(net, above);
    }
}

// SPDX-License-Identifier: Apache-2.0
// Winograd's F(4x4, 3x3) on bytes, exactly: with the points 0, +-1, +-2 and infinity all numbers
// are whole ones, once the rows of G are multiplied by 24, -6, -6, 24, 24, 6:
//
//     576 y = A' T [ sum over channels of (G w G') . (B' (x - 128) B) ] T A,  T = 1 -4 -4 1 1 4
//
//     B'  4  0 -5  0  1  0     G  6  0  0     A'T  1 -4 -4  1  1  0
//         0 -4 -4  1  1  0        1  1  1          0 -4  4  2 -2  0
//         0  4 -4 -1  1  0        1 -1  1          0 -4 -4  4  4  0
//         0 -2 -1  2  1  0        1  2  4          0 -4  4  8 -8  4
//         0  2 -1 -2  1  0        1 -2  4
//         0  4  0 -5  0  1        0  0  6
//
// B'xB is at most 100 * 128 and GwG' at most 49 * 127, which 16 bits hold. Sums are allowed to
// overflow: they are known up to a multiple of 2^32, and so is 576 y. Now 576 is 9 * 2^6; 9 has an
// inverse among the numbers modulo 2^32, and a shift to the right takes 2^6 away, after which y is
// known up to a multiple of 2^26, that is exactly, because |y| is at most 128 times the channel's
// |w|: less than 2^25 where they are less than INT8_WINOGRAD_MAGNITUDE. So these sums are those of
// the direct form to the bit, with a quarter of its products, of twice the width.
#include "backend/cpu/kernels/int8_end.h"

extern const Int8WinogradKernels KERNEL(int8_winograd_kernels);

enum { SIDE = WINOGRAD_SIDE, OUTPUTS = WINOGRAD_OUTPUTS, OFFSET = 128 };

// Unsigned, whose overflow is defined.
typedef uint32_t RingVec __attribute__((vector_size(VECTOR_BYTES)));
typedef int16_t Words __attribute__((vector_size(VECTOR_BYTES)));
enum { AHEAD = 2048 }; // weights, 4 KB
enum { WORDS = VECTOR_BYTES / 2, BLOCK_WORDS = 2 * CONV_BLOCK };

// ---------------------------------------------------------------- B' x B

INT8_INLINE Words widen(const uint8_t *from) {
#if defined(__AVX512F__)
    return (Words)_mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i_u *)from));
#elif defined(__AVX2__)
    return (Words)_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i_u *)from));
#else
    typedef uint8_t Bytes __attribute__((vector_size(WORDS)));
    Bytes bytes;
    memcpy(&bytes, from, sizeof bytes);
    return __builtin_convertvector(bytes, Words);
#endif
}

INT8_INLINE Words load_words(const uint8_t *from, int count) {
    uint8_t part[WORDS] = {0};
    if (count < WORDS) {
        memcpy(part, from, (size_t)count);
        from = part;
    }
    return widen(from) - OFFSET;
}

INT8_INLINE void input_line(const Words d[SIDE], Words r[SIDE]) {
    const Words e = d[4] - (d[2] << 2), o = d[3] - (d[1] << 2);
    const Words f = d[4] - d[2], g = (d[3] - d[1]) << 1;
    r[0] = ((d[0] - d[2]) << 2) + f;
    r[1] = e + o;
    r[2] = e - o;
    r[3] = f + g;
    r[4] = f - g;
    r[5] = (d[5] - d[3]) - (g << 1);
}

INT8_INLINE void input_words(const Int8WinogradInput *tile, int channel, int count) {
    int32_t *to = tile->to + channel / BLOCK_WORDS * tile->plane + channel % BLOCK_WORDS / 2;
    Words half[SIDE][SIDE]; // [row][column]
    UNROLL for (int x = 0; x < SIDE; x++) {
        Words d[SIDE], r[SIDE];
        UNROLL for (int y = 0; y < SIDE; y++) {
            d[y] = load_words(tile->pixel[y][x] + channel, count);
        }
        input_line(d, r);
        UNROLL for (int y = 0; y < SIDE; y++) { half[y][x] = r[y]; }
    }
    for (int y = 0; y < SIDE; y++) {
        Words r[SIDE];
        input_line(half[y], r);
        UNROLL for (int x = 0; x < SIDE; x++) {
            memcpy(to, &r[x], sizeof r[x]);
            to += tile->point;
        }
    }
}

static void transform_input(const Int8WinogradInput *tile) {
    int channel = 0;
    for (; channel + WORDS <= tile->channels; channel += WORDS) {
        input_words(tile, channel, WORDS);
    }
    if (channel < tile->channels) {
        input_words(tile, channel, tile->channels - channel);
    }
}

// ---------------------------------------------------------------- products

INT8_INLINE RingVec dot_words(RingVec sum, IntVec x, IntVec w) {
#if defined(__AVX512VNNI__)
    return (RingVec)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
#elif defined(__AVX512F__)
    return sum + (RingVec)_mm512_madd_epi16((__m512i)x, (__m512i)w);
#elif defined(__AVX2__)
    return sum + (RingVec)_mm256_madd_epi16((__m256i)x, (__m256i)w);
#elif defined(__SSE2__)
    return sum + (RingVec)_mm_madd_epi16((__m128i)x, (__m128i)w);
#else
    const IntVec low = ((IntVec)((RingVec)x << 16) >> 16) * ((IntVec)((RingVec)w << 16) >> 16);
    return sum + (RingVec)low + (RingVec)((x >> 16) * (w >> 16));
#endif
}

// Literals after inlining: rows, units.
INT8_INLINE void winograd_tile(const int rows, const int units, const Int8WinogradTile *tile) {
    const int vectors = units * VECTORS;
    RingVec sum[WORD_ROWS][TILE_UNITS * VECTORS];
    UNROLL for (int i = 0; i < WORD_ROWS; i++) {
        UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
            if (i < rows && j < vectors) {
                sum[i][j] = (RingVec){0};
            }
        }
    }
    const int16_t *weights = tile->weights;
    const int32_t *block = tile->input;
    for (int left = tile->blocks; left > 0; left--) {
        const int depth = left > 1 ? CONV_BLOCK : tile->last_depth;
        const int32_t *input = block;
        for (int k = 0; k < depth; k++) {
            IntVec weight[TILE_UNITS * VECTORS];
            UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                if (j < vectors) {
                    weight[j] = int_load(weights + j * LANES * 2);
                }
            }
            UNROLL for (int i = 0; i < WORD_ROWS; i++) {
                if (i < rows) {
                    const IntVec value =
                        int_splat(*(const UnalignedDword *)(input + i * CONV_BLOCK));
                    UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
                        if (j < vectors) {
                            sum[i][j] = dot_words(sum[i][j], value, weight[j]);
                        }
                    }
                }
            }
            // Weights come from afar, and each is used for a few rows only.
            UNROLL for (int j = 0; j < TILE_UNITS; j++) {
                if (j < units) {
                    __builtin_prefetch(weights + AHEAD + j * CONV_BLOCK * 2);
                }
            }
            weights += vectors * LANES * 2;
            input++;
        }
        block += tile->plane;
    }
    UNROLL for (int i = 0; i < WORD_ROWS; i++) {
        UNROLL for (int j = 0; j < TILE_UNITS * VECTORS; j++) {
            if (i < rows && j < vectors) {
                *(UnalignedIntVec *)(tile->sum + (i * vectors + j) * LANES) = (IntVec)sum[i][j];
            }
        }
    }
}

#define DEFINE_TILE(rows, units)                                                                   \
    static void winograd_tile_##rows##x##units(const Int8WinogradTile *tile) {                     \
        winograd_tile(rows, units, tile);                                                          \
    }
#define TILE_ENTRY(rows, units) winograd_tile_##rows##x##units,

WORD_ROWS_1(DEFINE_TILE, 1)
static Int8WinogradTileFunction *const tiles_1[] = {WORD_ROWS_1(TILE_ENTRY, 1)};
#if TILE_UNITS > 1
WORD_ROWS_2(DEFINE_TILE, 2)
static Int8WinogradTileFunction *const tiles_2[] = {WORD_ROWS_2(TILE_ENTRY, 2)};
#endif

// ---------------------------------------------------------------- A' T s T A

// Vectors of 4 lanes are so many that they live in memory anyhow: loops over them stay loops there,
// for a tenth of the code.
#if VECTOR_BYTES > 16
#define UNROLL_OUTPUT UNROLL
#else
#define UNROLL_OUTPUT _Pragma("GCC unroll 1")
#endif

// Of its four results the last three lack the factors 2, 4, 4.
INT8_INLINE void output_line(const RingVec m[SIDE], RingVec y[OUTPUTS]) {
    const RingVec a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    y[0] = m[0] + (c - (a << 2));
    y[1] = d - (b << 1);
    y[2] = c - a;
    y[3] = ((d << 1) - b) + m[5];
}

static const uint32_t NINTH = 0x38e38e39; // times 9: 1, modulo 2^32

// How much of 2^6 is left in a result, by row or column: 6 - that of the row - that of the column.
#define FACTOR_BITS(i) ((i) == 0 ? 0 : (i) == 1 ? 1 : 2)

INT8_INLINE IntVec whole_sum(RingVec y, const int row, const int column) {
    return (IntVec)(y * NINTH) >> (6 - FACTOR_BITS(row) - FACTOR_BITS(column));
}

// What a tile's lanes end with.
typedef struct Finish {
    EndLanes lanes;
    Ending ending;
    const Int8WinogradOutput *tile;
    int lane, count; // the first; how many are to be written, at most 16
} Finish;

// One output of 16 lanes. Literals after inlining, for the usual tiles: residual, shifted, floats
// and `count`.
INT8_INLINE void output_pixel(const Finish *f, const IntVec *sum, const int row, const int column,
                              const bool residual, const bool shifted, Vec *value) {
    const Int8WinogradOutput *tile = f->tile;
    const uint8_t *added = NULL;
    uint8_t part[CONV_BLOCK];
    if (residual) {
        added =
            tile->residual + row * tile->residual_row + column * tile->residual_column + f->lane;
        if (f->count < CONV_BLOCK) {
            memcpy(part, added, (size_t)f->count);
            added = part;
        }
    }
    finish_row(&f->lanes, sum, added, VECTORS, false, residual, shifted, value);
}

static inline void store_floats(const Finish *f, ptrdiff_t place, const Vec *value) {
    float done[CONV_BLOCK];
    for (int v = 0; v < VECTORS; v++) {
        vec_store(done + v * LANES, f->tile->end.relu ? vec_relu(value[v]) : value[v]);
    }
    memcpy((float *)f->tile->output + place, done, (size_t)f->count * sizeof *done);
}

static inline void store_part(const Finish *f, ptrdiff_t place, const Vec *value) {
    uint8_t done[CONV_BLOCK];
    store_rows(&f->ending, done, done, value, value, 1);
    memcpy((uint8_t *)f->tile->output + place, done, (size_t)f->count);
}

INT8_INLINE void output_row(const Finish *f, RingVec half[VECTORS][OUTPUTS][SIDE], const int row,
                            const bool residual, const bool shifted, const bool floats) {
    const Int8WinogradOutput *tile = f->tile;
    const ptrdiff_t place = row * tile->output_row + f->lane, step = tile->output_column;
    const int columns = tile->columns;
    RingVec y[VECTORS][OUTPUTS];
    Vec value[OUTPUTS][VECTORS];
    UNROLL_OUTPUT for (int v = 0; v < VECTORS; v++) { output_line(half[v][row], y[v]); }
    UNROLL_OUTPUT for (int x = 0; x < OUTPUTS; x++) {
        if (x < columns) {
            IntVec sum[VECTORS];
            UNROLL_OUTPUT for (int v = 0; v < VECTORS; v++) { sum[v] = whole_sum(y[v][x], row, x); }
            output_pixel(f, sum, row, x, residual, shifted, value[x]);
            if (floats) {
                store_floats(f, place + x * step, value[x]);
            } else if (f->count < CONV_BLOCK) {
                store_part(f, place + x * step, value[x]);
            } else if (x % 2 == 1) {
                uint8_t *to = (uint8_t *)tile->output + place + x * step;
                store_rows(&f->ending, to - step, to, value[x - 1], value[x], 1);
            } else if (x == columns - 1) {
                uint8_t *to = (uint8_t *)tile->output + place + x * step;
                store_rows(&f->ending, to, to, value[x], value[x], 1);
            }
        }
    }
}

INT8_INLINE void output_unit(const Int8WinogradOutput *tile, int lane, int count,
                             const bool residual, const bool shifted, const bool floats) {
    const Int8End at = {.start = tile->end.start + lane,
                        .shift = shifted ? tile->end.shift + lane : NULL,
                        .residual = residual ? tile->end.residual + lane : NULL,
                        .factor = tile->end.factor + lane};
    const Finish finish = {.lanes = end_lanes(&at, VECTORS, residual, shifted),
                           .ending = ending_of(tile->end.zero, tile->end.relu),
                           .tile = tile,
                           .lane = lane,
                           .count = count};
    RingVec half[VECTORS][OUTPUTS][SIDE];
    UNROLL_OUTPUT for (int v = 0; v < VECTORS; v++) {
        const int32_t *from = tile->from + lane + v * LANES;
        UNROLL_OUTPUT for (int x = 0; x < SIDE; x++) {
            RingVec m[SIDE], y[OUTPUTS];
            UNROLL_OUTPUT for (int i = 0; i < SIDE; i++) {
                m[i] = (RingVec)int_load(from + (i * SIDE + x) * tile->point);
            }
            output_line(m, y);
            UNROLL_OUTPUT for (int i = 0; i < OUTPUTS; i++) { half[v][i][x] = y[i]; }
        }
    }
    UNROLL_OUTPUT for (int i = 0; i < OUTPUTS; i++) {
        if (i < tile->rows) {
            output_row(&finish, half, i, residual, shifted, floats);
        }
    }
}

// All else, which is not worth code of its own for each case.
static __attribute__((noinline)) void output_rare(const Int8WinogradOutput *tile, int lane,
                                                  int count) {
    const bool residual = tile->residual != NULL;
    output_unit(tile, lane, count, residual, residual && tile->end.shift != NULL, tile->end.floats);
}

static void transform_output(const Int8WinogradOutput *tile) {
    const bool usual = !tile->end.floats && tile->end.shift == NULL;
    for (int lane = 0; lane < tile->lanes; lane += CONV_BLOCK) {
        const int left = tile->lanes - lane, count = left < CONV_BLOCK ? left : CONV_BLOCK;
        if (!usual || count < CONV_BLOCK) {
            output_rare(tile, lane, count);
        } else if (tile->residual == NULL) {
            output_unit(tile, lane, CONV_BLOCK, false, false, false);
        } else {
            output_unit(tile, lane, CONV_BLOCK, true, false, false);
        }
    }
}

// ---------------------------------------------------------------- G w G'

INT8_INLINE void weights_line(const int *w, int step, int *r) {
    const int even = w[0] + w[2 * step], far = w[0] + 4 * w[2 * step];
    r[0 * step] = 6 * w[0];
    r[1 * step] = even + w[step];
    r[2 * step] = even - w[step];
    r[3 * step] = far + 2 * w[step];
    r[4 * step] = far - 2 * w[step];
    r[5 * step] = 6 * w[2 * step];
}

static void transform_weights(int16_t *to, const int8_t *from, int channels, ptrdiff_t dword,
                              ptrdiff_t point) {
    enum { KERNEL_SIDE = 3, TAPS = 9 };
    for (int channel = 0; channel < channels; channel++) {
        int w[TAPS], half[SIDE * KERNEL_SIDE];
        for (int tap = 0; tap < TAPS; tap++) {
            w[tap] = from[channel * TAPS + tap];
        }
        for (int x = 0; x < KERNEL_SIDE; x++) { // [row][3]
            weights_line(w + x, KERNEL_SIDE, half + x);
        }
        int16_t *at = to + channel / 2 * dword + channel % 2;
        for (int y = 0; y < SIDE; y++) {
            int r[SIDE];
            weights_line(half + y * KERNEL_SIDE, 1, r);
            for (int x = 0; x < SIDE; x++) {
                *at = (int16_t)r[x];
                at += point;
            }
        }
    }
}

const Int8WinogradKernels KERNEL(int8_winograd_kernels) = {
    .rows = {WORD_MOST_1, WORD_MOST_2},
#if TILE_UNITS > 1
    .tile = {tiles_1, tiles_2},
#else
    .tile = {tiles_1},
#endif
    .input = transform_input,
    .output = transform_output,
    .weights = transform_weights,
};

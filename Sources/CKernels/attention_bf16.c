#include "CKernels.h"
#include "vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
// Called only where oneDNN has found AVX512_BF16.
#define VIFI_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#else
#define VIFI_BF16
#endif

// Letters: head h; q of Q queries; k of K keys, shared ones first; w of W columns of a head. Padded numbers are
// multiples of 16, what is padded is zero.
//
// A left factor is row-major, two neighbors of a row being one 32-bit word; a right factor [inner, columns] is
// stored as words [inner / 2, columns], a word holding two neighbors of a column: what VDPBF16PS multiplies.

enum {
    // Columns of a right factor that go together: so many registers of 16.
    widest = 5,
    // Queries whose scores are made together.
    forward_queries = 48,
};

typedef uint32_t vifi_word_lanes __attribute__((vector_size(64)));
typedef uint32_t vifi_loose_words __attribute__((vector_size(64), aligned(2)));
typedef uint16_t vifi_half_lanes __attribute__((vector_size(32)));
typedef uint16_t vifi_loose_halves __attribute__((vector_size(32), aligned(2)));

static inline ptrdiff_t vifi_padded(ptrdiff_t count) { return (count + 15) & ~(ptrdiff_t)15; }
VIFI_INLINE ptrdiff_t vifi_least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

// Sixteen floats rounded to bfloat16, to nearest, ties to even.
#if defined(__x86_64__)
#define VIFI_ROUND(floats) ((vifi_half_lanes)_mm512_cvtneps_pbh((__m512)(floats)))
#else
VIFI_INLINE vifi_half_lanes vifi_round(vifi_lanes floats) {
    vifi_word_lanes bits = (vifi_word_lanes)floats;
    bits = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
    return __builtin_convertvector(bits, vifi_half_lanes);
}
#define VIFI_ROUND(floats) vifi_round(floats)
#endif
#define VIFI_STORE_HALVES(pointer, value) (*(vifi_loose_halves *)(pointer) = (vifi_loose_halves)(value))
#define VIFI_LOAD_HALVES(pointer) ((vifi_half_lanes)(*(const vifi_loose_halves *)(pointer)))

VIFI_INLINE uint32_t vifi_word(const uint16_t *pointer) {
    uint32_t word;
    memcpy(&word, pointer, sizeof word);
    return word;
}

// output[m, 16 n] = left[m, 2 pairs] * right, or += it. `m` and `n` are constants where it is called.
VIFI_BF16 VIFI_INLINE void vifi_tile(const int m, const int n, const uint16_t *left, ptrdiff_t left_stride,
                                     const uint32_t *right, ptrdiff_t right_stride, ptrdiff_t pairs, float *output,
                                     ptrdiff_t output_stride, int adding) {
#if defined(__x86_64__)
    __m512 sums[8][widest];
#pragma clang loop unroll(full)
    for (int i = 0; i < m; i++)
#pragma clang loop unroll(full)
        for (int j = 0; j < n; j++)
            sums[i][j] = adding ? _mm512_loadu_ps(output + i * output_stride + 16 * j) : _mm512_setzero_ps();
    for (ptrdiff_t pair = 0; pair < pairs; pair++) {
        __m512i columns[widest];
#pragma clang loop unroll(full)
        for (int j = 0; j < n; j++) columns[j] = _mm512_loadu_si512(right + pair * right_stride + 16 * j);
#pragma clang loop unroll(full)
        for (int i = 0; i < m; i++) {
            const __m512i row = _mm512_set1_epi32((int)vifi_word(left + i * left_stride + 2 * pair));
#pragma clang loop unroll(full)
            for (int j = 0; j < n; j++) sums[i][j] = _mm512_dpbf16_ps(sums[i][j], (__m512bh)columns[j], (__m512bh)row);
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < m; i++)
#pragma clang loop unroll(full)
        for (int j = 0; j < n; j++) _mm512_storeu_ps(output + i * output_stride + 16 * j, sums[i][j]);
#else
    for (int i = 0; i < m; i++)
        for (int j = 0; j < 16 * n; j++) {
            float sum = adding ? output[i * output_stride + j] : 0;
            for (ptrdiff_t pair = 0; pair < pairs; pair++) {
                const uint32_t row = vifi_word(left + i * left_stride + 2 * pair), column = right[pair * right_stride + j];
                const uint32_t bits[4] = {row << 16, column << 16, row & 0xFFFF0000u, column & 0xFFFF0000u};
                float values[4];
                memcpy(values, bits, sizeof values);
                sum += values[0] * values[1] + values[2] * values[3];
            }
            output[i * output_stride + j] = sum;
        }
#endif
}

// All rows by 16 n columns, m at a time.
#define VIFI_PANEL(m, n)                                                                                             \
    for (; row + (m) <= rows; row += (m))                                                                            \
        vifi_tile(m, n, left + row * left_stride, left_stride, right, right_stride, pairs, output + row * output_stride, \
                  output_stride, adding)
#define VIFI_PANELS(m, n)                                                                                            \
    do {                                                                                                             \
        VIFI_PANEL(m, n);                                                                                            \
        VIFI_PANEL(3, n);                                                                                            \
        VIFI_PANEL(1, n);                                                                                            \
    } while (0)

// output[rows, columns] = left[rows, 2 pairs] * right, or += it; `columns` is padded.
VIFI_BF16
static void vifi_bf16_product(const uint16_t *left, ptrdiff_t left_stride, ptrdiff_t rows, const uint32_t *right,
                              ptrdiff_t right_stride, ptrdiff_t columns, ptrdiff_t pairs, float *output,
                              ptrdiff_t output_stride, int adding) {
    ptrdiff_t registers = columns / 16;
    while (registers > 0) {
        // Even parts: 13 registers are 5 + 4 + 4.
        const ptrdiff_t parts = (registers + widest - 1) / widest;
        const ptrdiff_t now = (registers + parts - 1) / parts;
        ptrdiff_t row = 0;
        switch (now) {
        case 5: VIFI_PANELS(5, 5); break;
        case 4: VIFI_PANELS(6, 4); break;
        case 3: VIFI_PANELS(8, 3); break;
        case 2: VIFI_PANELS(8, 2); break;
        default: VIFI_PANELS(8, 1); break;
        }
        right += 16 * now;
        output += 16 * now;
        registers -= now;
    }
}

// MARK: Packing

// Words [16, 16] the other way round.
VIFI_BF16 VIFI_INLINE void vifi_transpose(vifi_word_lanes r[16]) {
    vifi_word_lanes t[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++) {
        t[2 * i] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
        t[2 * i + 1] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i += 4)
#pragma clang loop unroll(full)
        for (int j = 0; j < 2; j++) {
            r[i + j] = __builtin_shufflevector(t[i + j], t[i + j + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
            r[i + j + 2] = __builtin_shufflevector(t[i + j], t[i + j + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
        }
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i += 8)
#pragma clang loop unroll(full)
        for (int j = 0; j < 4; j++) {
            t[i + j] = __builtin_shufflevector(r[i + j], r[i + j + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
            t[i + j + 4] = __builtin_shufflevector(r[i + j], r[i + j + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
        }
#pragma clang loop unroll(full)
    for (int j = 0; j < 8; j++) {
        r[j] = __builtin_shufflevector(t[j], t[j + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        r[j + 8] = __builtin_shufflevector(t[j], t[j + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    }
}

// Rows [rows, columns] of bfloat16 to words [columns / 2, 16 padded rows]: their transpose as a right factor.
VIFI_BF16
static void vifi_pack_transposed(const uint16_t *rows, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t columns,
                                 uint32_t *words, ptrdiff_t word_stride) {
    for (ptrdiff_t row = 0; row < count; row += 16)
        for (ptrdiff_t column = 0; column < columns; column += 32) {
            vifi_word_lanes block[16] = {};
            const ptrdiff_t filled = vifi_least(16, count - row), wide = vifi_least(16, (columns - column) / 2);
            for (int i = 0; i < filled; i++) {
                const uint16_t *source = rows + (row + i) * stride + column;
                if (wide == 16) block[i] = *(const vifi_loose_words *)source;
                else memcpy(&block[i], source, 4 * (size_t)wide);
            }
            vifi_transpose(block);
            for (int i = 0; i < wide; i++) *(vifi_loose_words *)(words + (column / 2 + i) * word_stride + row) = block[i];
        }
}

// Rows [rows, columns] of bfloat16 to words [padded rows / 2, padded columns]: themselves as a right factor.
VIFI_BF16
static void vifi_pack(const uint16_t *rows, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t columns, uint32_t *words,
                      ptrdiff_t word_stride) {
    for (ptrdiff_t row = 0; row < count; row += 2) {
        const uint16_t *first = rows + row * stride, *second = first + stride;
        uint32_t *target = words + row / 2 * word_stride;
        if (row + 1 < count) {
            for (ptrdiff_t i = 0; i < columns; i++) target[i] = first[i] | (uint32_t)second[i] << 16;
        } else {
            for (ptrdiff_t i = 0; i < columns; i++) target[i] = first[i];
        }
        for (ptrdiff_t i = columns; i < word_stride; i++) target[i] = 0;
    }
}

// Words [rows, columns] to [columns, rows], sixteen at a time; both counts are padded.
VIFI_BF16
static void vifi_transpose_words(const uint32_t *words, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t columns,
                                 uint32_t *output, ptrdiff_t output_stride) {
    for (ptrdiff_t row = 0; row < rows; row += 16)
        for (ptrdiff_t column = 0; column < columns; column += 16) {
            vifi_word_lanes block[16];
            for (int i = 0; i < 16; i++) block[i] = *(const vifi_loose_words *)(words + (row + i) * stride + column);
            vifi_transpose(block);
            for (int i = 0; i < 16; i++) *(vifi_loose_words *)(output + (column + i) * output_stride + row) = block[i];
        }
}

// Shared and own rows of one head, one after the other.
VIFI_BF16
static void vifi_gather_head(const float *shared, ptrdiff_t shared_stride, ptrdiff_t shared_count, const uint16_t *own,
                             ptrdiff_t own_stride, ptrdiff_t own_count, ptrdiff_t columns, uint16_t *rows, ptrdiff_t stride) {
    for (ptrdiff_t row = 0; row < shared_count; row++)
        vifi_to_bfloat16(shared + row * shared_stride, columns, rows + row * stride, 1, columns);
    for (ptrdiff_t row = 0; row < own_count; row++)
        memcpy(rows + (shared_count + row) * stride, own + row * own_stride, 2 * (size_t)columns);
}

// MARK: Scratch memory

typedef struct {
    ptrdiff_t q, k, w;
    uint16_t *keys, *values;      // [k, w]
    uint32_t *right_keys;         // forward: keys transposed [w / 2, k]; back: keys [k / 2, w]
    uint32_t *left_keys;          // back: keys transposed [w, k / 2]
    uint32_t *right_values;       // forward: [k / 2, w]
    uint32_t *queries_transposed, *gradients_transposed;  // [w / 2, q]
    uint32_t *right_queries, *right_gradients;            // [q / 2, w]
    float *scores, *score_gradients;                      // forward: [queries, k]; back: [k, columns]
    uint16_t *probabilities, *rounded_gradients;
    uint32_t *right_score_gradients;                      // [k / 2, columns]
    float *key_sums, *value_sums, *query_sums;            // [k, w], [k, w], [w, q]
    float *log_sums;
} vifi_attention_memory;

static size_t vifi_part(char *base, size_t *used, size_t bytes, void **pointer) {
    *pointer = base + *used;
    *used += (bytes + 63) & ~(size_t)63;
    return *used;
}

static size_t vifi_lay_out(vifi_attention_memory *m, char *base, ptrdiff_t queries, ptrdiff_t keys, ptrdiff_t width) {
    size_t used = 0;
    m->q = vifi_padded(queries);
    m->k = vifi_padded(keys);
    m->w = vifi_padded(width);
    const size_t q = (size_t)m->q, k = (size_t)m->k, w = (size_t)m->w;
    const size_t block = 16 * widest, rows = (size_t)forward_queries > block ? (size_t)forward_queries : block;
    vifi_part(base, &used, 2 * k * w, (void **)&m->keys);
    vifi_part(base, &used, 2 * k * w, (void **)&m->values);
    vifi_part(base, &used, 2 * k * w, (void **)&m->right_keys);
    vifi_part(base, &used, 2 * (k + 32) * w, (void **)&m->left_keys);
    vifi_part(base, &used, 2 * k * w, (void **)&m->right_values);
    vifi_part(base, &used, 2 * q * w, (void **)&m->queries_transposed);
    vifi_part(base, &used, 2 * q * w, (void **)&m->gradients_transposed);
    vifi_part(base, &used, 2 * q * w, (void **)&m->right_queries);
    vifi_part(base, &used, 2 * q * w, (void **)&m->right_gradients);
    vifi_part(base, &used, 4 * k * rows, (void **)&m->scores);
    vifi_part(base, &used, 4 * k * rows, (void **)&m->score_gradients);
    vifi_part(base, &used, 2 * k * rows, (void **)&m->probabilities);
    vifi_part(base, &used, 2 * k * rows, (void **)&m->rounded_gradients);
    vifi_part(base, &used, 2 * k * rows, (void **)&m->right_score_gradients);
    vifi_part(base, &used, 4 * k * w, (void **)&m->key_sums);
    vifi_part(base, &used, 4 * k * w, (void **)&m->value_sums);
    vifi_part(base, &used, 4 * (q > rows ? q : rows) * w, (void **)&m->query_sums);
    vifi_part(base, &used, 4 * q, (void **)&m->log_sums);
    return used;
}

size_t vifi_attention_bf16_bytes(ptrdiff_t queries, ptrdiff_t keys, ptrdiff_t head_width) {
    vifi_attention_memory unused;
    return vifi_lay_out(&unused, (char *)64, queries, keys, head_width);
}

// MARK: Forward

// exp(scale * (scores - largest)) of each row, not divided by its sum; `inverse` of the sum.
VIFI_BF16
static void vifi_softmax_rows(const vifi_attention_memory *m, ptrdiff_t rows, ptrdiff_t keys, float scale, float *log_sums,
                              float *inverse) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        float *s = m->scores + row * m->k;
        uint16_t *p = m->probabilities + row * m->k;
        // Padded keys count for nothing.
        for (ptrdiff_t i = keys; i < m->k; i++) s[i] = -INFINITY;
        vifi_lanes top = VIFI_LOAD(s);
        for (ptrdiff_t i = VIFI_LANES; i < m->k; i += VIFI_LANES) top = __builtin_elementwise_max(top, VIFI_LOAD(s + i));
        float largest = top[0];
        for (int lane = 1; lane < VIFI_LANES; lane++) largest = top[lane] > largest ? top[lane] : largest;
        for (ptrdiff_t i = 0; i < m->k; i++) s[i] = vifi_exp(scale * (s[i] - largest));
        for (ptrdiff_t i = keys; i < m->k; i++) s[i] = 0;
        vifi_lanes lanes = {};
        for (ptrdiff_t i = 0; i < m->k; i += VIFI_LANES) {
            lanes += VIFI_LOAD(s + i);
            VIFI_STORE_HALVES(p + i, VIFI_ROUND(VIFI_LOAD(s + i)));
        }
        const float sum = vifi_lane_sum(&lanes);
        inverse[row] = 1.0f / sum;
        log_sums[row] = scale * largest + logf(sum);
    }
}

// Floats [padded] times a factor, to `count` of bfloat16.
VIFI_BF16 VIFI_INLINE void vifi_round_row(const float *values, float factor, uint16_t *output, ptrdiff_t count) {
    ptrdiff_t i = 0;
    for (; i + 16 <= count; i += 16) VIFI_STORE_HALVES(output + i, VIFI_ROUND(VIFI_LOAD(values + i) * VIFI_SPLAT(factor)));
    if (i < count) {
        const vifi_half_lanes rest = VIFI_ROUND(VIFI_LOAD(values + i) * VIFI_SPLAT(factor));
        memcpy(output + i, &rest, 2 * (size_t)(count - i));
    }
}

VIFI_BF16
void vifi_attention_bf16(const uint16_t *queries, ptrdiff_t query_stride, const float *shared, ptrdiff_t shared_stride,
                         const uint16_t *own, ptrdiff_t own_stride, uint16_t *output, ptrdiff_t output_stride,
                         float *log_sums, void *scratch, ptrdiff_t query_count, ptrdiff_t shared_count,
                         ptrdiff_t own_count, ptrdiff_t heads, ptrdiff_t head_width, float scale, const float *key_bias) {
    const ptrdiff_t width = heads * head_width, keys = shared_count + own_count;
    if (shared_count == 0) shared = log_sums;  // Not read, but something to count columns from.
    vifi_attention_memory m;
    vifi_lay_out(&m, scratch, query_count, keys, head_width);
    for (ptrdiff_t head = 0; head < heads; head++) {
        const ptrdiff_t column = head * head_width;
        vifi_gather_head(shared + column, shared_stride, shared_count, own + column, own_stride, own_count, head_width, m.keys, m.w);
        vifi_gather_head(shared + width + column, shared_stride, shared_count, own + width + column, own_stride, own_count,
                         head_width, m.values, m.w);
        vifi_pack_transposed(m.keys, m.w, keys, head_width, m.right_keys, m.k);
        vifi_pack(m.values, m.w, keys, head_width, m.right_values, m.w);
        for (ptrdiff_t first = 0; first < query_count; first += forward_queries) {
            const ptrdiff_t rows = vifi_least(forward_queries, query_count - first);
            float inverse[forward_queries];
            vifi_bf16_product(queries + first * query_stride + column, query_stride, rows, m.right_keys, m.k, m.k,
                              head_width / 2, m.scores, m.k, 0);
            for (ptrdiff_t row = 0; key_bias && row < rows; row++)
                for (ptrdiff_t i = 0; i < own_count; i++) m.scores[row * m.k + shared_count + i] += key_bias[i];
            vifi_softmax_rows(&m, rows, keys, scale, log_sums + head * query_count + first, inverse);
            vifi_bf16_product(m.probabilities, m.k, rows, m.right_values, m.w, m.w, (keys + 1) / 2, m.query_sums, m.w, 0);
            for (ptrdiff_t row = 0; row < rows; row++)
                vifi_round_row(m.query_sums + row * m.w, inverse[row], output + (first + row) * output_stride + column, head_width);
        }
    }
}

// MARK: Backward

// With p the probabilities and dp = dy . v: ds = scale * p * (dp - sum(p * dp)), all [keys, columns].
VIFI_BF16
static void vifi_softmax_columns_backward(const vifi_attention_memory *m, ptrdiff_t keys, ptrdiff_t columns, float scale,
                                          const float *log_sums) {
    float means[16 * widest] = {};
    for (ptrdiff_t key = 0; key < keys; key++) {
        float *s = m->scores + key * columns;
        const float *dp = m->score_gradients + key * columns;
        uint16_t *p = m->probabilities + key * columns;
        for (ptrdiff_t i = 0; i < columns; i++) {
            s[i] = vifi_exp(scale * s[i] - log_sums[i]);
            means[i] += s[i] * dp[i];
        }
        for (ptrdiff_t i = 0; i < columns; i += VIFI_LANES) VIFI_STORE_HALVES(p + i, VIFI_ROUND(VIFI_LOAD(s + i)));
    }
    for (ptrdiff_t key = 0; key < keys; key++) {
        const float *s = m->scores + key * columns;
        const float *dp = m->score_gradients + key * columns;
        uint16_t *ds = m->rounded_gradients + key * columns;
        for (ptrdiff_t i = 0; i < columns; i += VIFI_LANES)
            VIFI_STORE_HALVES(ds + i, VIFI_ROUND(VIFI_SPLAT(scale) * VIFI_LOAD(s + i) * (VIFI_LOAD(dp + i) - VIFI_LOAD(means + i))));
    }
}

// Adds sums [rows, padded] to rows of float32.
VIFI_BF16
static void vifi_add_sums(const float *sums, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t columns, float *output,
                          ptrdiff_t output_stride) {
    for (ptrdiff_t row = 0; row < rows; row++)
        for (ptrdiff_t i = 0; i < columns; i++) output[row * output_stride + i] += sums[row * stride + i];
}

VIFI_BF16
void vifi_attention_bf16_backward(const uint16_t *output_gradient, ptrdiff_t gradient_stride, const uint16_t *queries,
                                  ptrdiff_t query_stride, const float *shared, ptrdiff_t shared_stride,
                                  const uint16_t *own, ptrdiff_t own_stride, const float *log_sums, void *scratch,
                                  uint16_t *query_gradient, ptrdiff_t query_gradient_stride, float *shared_gradient,
                                  ptrdiff_t shared_gradient_stride, uint16_t *own_gradient,
                                  ptrdiff_t own_gradient_stride, ptrdiff_t query_count, ptrdiff_t shared_count,
                                  ptrdiff_t own_count, ptrdiff_t heads, ptrdiff_t head_width, float scale,
                                  const float *key_bias) {
    const ptrdiff_t width = heads * head_width, keys = shared_count + own_count;
    const ptrdiff_t learning = query_gradient ? keys : shared_count;
    if (shared_count == 0) shared = log_sums;  // Not read, but something to count columns from.
    vifi_attention_memory m;
    vifi_lay_out(&m, scratch, query_count, keys, head_width);
    const ptrdiff_t registers = m.q / 16, parts = (registers + widest - 1) / widest;
    const ptrdiff_t key_words = vifi_padded(m.k / 2);
    for (ptrdiff_t head = 0; head < heads; head++) {
        const ptrdiff_t column = head * head_width;
        const uint16_t *q = queries + column, *dy = output_gradient + column;
        vifi_gather_head(shared + column, shared_stride, shared_count, own + column, own_stride, own_count, head_width, m.keys, m.w);
        vifi_gather_head(shared + width + column, shared_stride, shared_count, own + width + column, own_stride, own_count,
                         head_width, m.values, m.w);
        vifi_pack_transposed(q, query_stride, query_count, head_width, m.queries_transposed, m.q);
        vifi_pack_transposed(dy, gradient_stride, query_count, head_width, m.gradients_transposed, m.q);
        memset(m.right_queries, 0, 2 * (size_t)(m.q * m.w));
        memset(m.right_gradients, 0, 2 * (size_t)(m.q * m.w));
        vifi_pack(q, query_stride, query_count, head_width, m.right_queries, m.w);
        vifi_pack(dy, gradient_stride, query_count, head_width, m.right_gradients, m.w);
        memcpy(m.log_sums, log_sums + head * query_count, (size_t)query_count * sizeof(float));
        // Padded queries attend to nothing.
        for (ptrdiff_t i = query_count; i < m.q; i++) m.log_sums[i] = 88;
        if (query_gradient) {
            memset(m.right_keys, 0, 2 * (size_t)(m.k * m.w));
            vifi_pack(m.keys, m.w, keys, head_width, m.right_keys, m.w);
            // [keys / 2, w] words to [w, keys / 2]; rows beyond the padded keys are not read by the product.
            for (ptrdiff_t row = 0; row + 16 <= m.k / 2; row += 16)
                vifi_transpose_words(m.right_keys + row * m.w, m.w, 16, m.w, m.left_keys + row, key_words);
            for (ptrdiff_t row = m.k / 2 / 16 * 16; row < m.k / 2; row++)
                for (ptrdiff_t i = 0; i < m.w; i++) m.left_keys[i * key_words + row] = m.right_keys[row * m.w + i];
        }
        ptrdiff_t first = 0;
        for (ptrdiff_t part = 0; part < parts; part++) {
            const ptrdiff_t columns = 16 * ((registers - first / 16 + parts - part - 1) / (parts - part));
            vifi_bf16_product(m.keys, m.w, keys, m.queries_transposed + first, m.q, columns, head_width / 2, m.scores, columns, 0);
            vifi_bf16_product(m.values, m.w, keys, m.gradients_transposed + first, m.q, columns, head_width / 2,
                              m.score_gradients, columns, 0);
            for (ptrdiff_t key = 0; key_bias && key < own_count; key++)
                for (ptrdiff_t i = 0; i < columns; i++) m.scores[(shared_count + key) * columns + i] += key_bias[key];
            vifi_softmax_columns_backward(&m, keys, columns, scale, m.log_sums + first);
            vifi_bf16_product(m.probabilities, columns, learning, m.right_gradients + first / 2 * m.w, m.w, m.w, columns / 2,
                              m.value_sums, m.w, first > 0);
            vifi_bf16_product(m.rounded_gradients, columns, learning, m.right_queries + first / 2 * m.w, m.w, m.w, columns / 2,
                              m.key_sums, m.w, first > 0);
            if (query_gradient) {
                vifi_pack(m.rounded_gradients, columns, keys, columns, m.right_score_gradients, columns);
                vifi_bf16_product((const uint16_t *)m.left_keys, 2 * key_words, m.w, m.right_score_gradients, columns, columns,
                                  (keys + 1) / 2, m.query_sums + first, m.q, 0);
            }
            first += columns;
        }
        if (shared_count > 0) {
            vifi_add_sums(m.key_sums, m.w, shared_count, head_width, shared_gradient + column, shared_gradient_stride);
            vifi_add_sums(m.value_sums, m.w, shared_count, head_width, shared_gradient + width + column, shared_gradient_stride);
        }
        if (!query_gradient) continue;
        for (ptrdiff_t row = 0; row < own_count; row++) {
            uint16_t *target = own_gradient + row * own_gradient_stride + column;
            vifi_round_row(m.key_sums + (shared_count + row) * m.w, 1, target, head_width);
            vifi_round_row(m.value_sums + (shared_count + row) * m.w, 1, target + width, head_width);
        }
        for (ptrdiff_t row = 0; row < query_count; row += 16) {
            float block[16 * 16];
            for (ptrdiff_t i = 0; i < m.w; i += 16) {
                vifi_transpose_words((const uint32_t *)m.query_sums + i * m.q + row, m.q, 16, 16, (uint32_t *)block, 16);
                for (ptrdiff_t j = 0; j < vifi_least(16, query_count - row); j++)
                    vifi_round_row(block + 16 * j, 1, query_gradient + (row + j) * query_gradient_stride + column + i,
                                   vifi_least(16, head_width - i));
            }
        }
    }
}

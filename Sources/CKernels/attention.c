#include "CKernels.h"
#include "vector.h"

// Sum over `width` of a * b.
VIFI_INLINE float vifi_dot(const float *a, const float *b, ptrdiff_t width) {
    const ptrdiff_t whole = width - width % VIFI_LANES;
    vifi_lanes lanes = {};
    float rest = 0;
    for (ptrdiff_t i = 0; i < whole; i += VIFI_LANES) lanes += VIFI_LOAD(a + i) * VIFI_LOAD(b + i);
    for (ptrdiff_t i = whole; i < width; i++) rest += a[i] * b[i];
    return vifi_lane_sum(&lanes) + rest;
}

// y += factor * x
VIFI_INLINE void vifi_add_scaled(float *y, float factor, const float *x, ptrdiff_t width) {
    for (ptrdiff_t i = 0; i < width; i++) y[i] += factor * x[i];
}

VIFI_INLINE ptrdiff_t vifi_smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

// Row `key` of shared and own rows together.
#define VIFI_ROW(shared, own, key, shared_count, shared_stride, own_stride)                                   \
    ((key) < (shared_count) ? (shared) + (key) * (shared_stride) : (own) + ((key) - (shared_count)) * (own_stride))

VIFI_CLONES
void vifi_attention_few(const float *queries, ptrdiff_t query_stride, const float *shared, ptrdiff_t shared_stride,
                        const float *own, ptrdiff_t own_stride, float *output, ptrdiff_t output_stride,
                        float *log_sums, float *scores, ptrdiff_t query_count, ptrdiff_t shared_count,
                        ptrdiff_t own_count, ptrdiff_t heads, ptrdiff_t head_width, float scale,
                        ptrdiff_t first_visible, ptrdiff_t visible_step, const float *key_bias) {
    const ptrdiff_t width = heads * head_width;
    for (ptrdiff_t head = 0; head < heads; head++)
        for (ptrdiff_t query = 0; query < query_count; query++) {
            const ptrdiff_t column = head * head_width;
            const float *q = queries + query * query_stride + column;
            float *y = output + query * output_stride + column;
            const ptrdiff_t visible = vifi_smaller(first_visible + query * visible_step, shared_count + own_count);
            float largest = -INFINITY;
            for (ptrdiff_t key = 0; key < visible; key++) {
                const float *k = VIFI_ROW(shared, own, key, shared_count, shared_stride, own_stride) + column;
                const float score = vifi_dot(q, k, head_width);
                scores[key] = scale * (key_bias && key >= shared_count ? score + key_bias[key - shared_count] : score);
                largest = scores[key] > largest ? scores[key] : largest;
            }
            float sum = 0;
            for (ptrdiff_t key = 0; key < visible; key++) {
                scores[key] = vifi_exp(scores[key] - largest);
                sum += scores[key];
            }
            const float inverse = 1.0f / sum;
            memset(y, 0, (size_t)head_width * sizeof(float));
            for (ptrdiff_t key = 0; key < visible; key++) {
                const float *v = VIFI_ROW(shared, own, key, shared_count, shared_stride, own_stride) + width + column;
                vifi_add_scaled(y, scores[key] * inverse, v, head_width);
            }
            log_sums[head * query_count + query] = largest + logf(sum);
        }
}

// With p the probabilities and dp = dy . v: ds = scale * p * (dp - sum(p * dp)); dq += ds * k, dk += ds * q, dv += p * dy.
VIFI_CLONES
void vifi_attention_few_backward(const float *output_gradient, ptrdiff_t gradient_stride,
                                 const float *queries, ptrdiff_t query_stride,
                                 const float *shared, ptrdiff_t shared_stride, const float *own, ptrdiff_t own_stride,
                                 const float *log_sums, float *scores, float *query_gradient,
                                 ptrdiff_t query_gradient_stride, float *shared_gradient,
                                 ptrdiff_t shared_gradient_stride, float *own_gradient, ptrdiff_t own_gradient_stride,
                                 ptrdiff_t query_count, ptrdiff_t shared_count, ptrdiff_t own_count,
                                 ptrdiff_t heads, ptrdiff_t head_width, float scale,
                                 ptrdiff_t first_visible, ptrdiff_t visible_step, const float *key_bias) {
    const ptrdiff_t width = heads * head_width;
    for (ptrdiff_t head = 0; head < heads; head++)
        for (ptrdiff_t query = 0; query < query_count; query++) {
            const ptrdiff_t column = head * head_width;
            const float *q = queries + query * query_stride + column;
            const float *dy = output_gradient + query * gradient_stride + column;
            const ptrdiff_t visible = vifi_smaller(first_visible + query * visible_step, shared_count + own_count);
            const float log_sum = log_sums[head * query_count + query];
            float *p = scores, *dp = scores + shared_count + own_count;
            float mean = 0;
            for (ptrdiff_t key = 0; key < visible; key++) {
                const float *k = VIFI_ROW(shared, own, key, shared_count, shared_stride, own_stride) + column;
                const float score = vifi_dot(q, k, head_width);
                p[key] = vifi_exp(scale * (key_bias && key >= shared_count ? score + key_bias[key - shared_count] : score) - log_sum);
                dp[key] = vifi_dot(dy, k + width, head_width);
                mean += p[key] * dp[key];
            }
            float *dq = query_gradient ? query_gradient + query * query_gradient_stride + column : NULL;
            if (dq) memset(dq, 0, (size_t)head_width * sizeof(float));
            const ptrdiff_t learning = dq ? visible : vifi_smaller(visible, shared_count);
            for (ptrdiff_t key = 0; key < learning; key++) {
                const float *k = VIFI_ROW(shared, own, key, shared_count, shared_stride, own_stride) + column;
                float *dk = VIFI_ROW(shared_gradient, own_gradient, key, shared_count, shared_gradient_stride,
                                     own_gradient_stride) + column;
                const float ds = scale * p[key] * (dp[key] - mean);
                if (dq) vifi_add_scaled(dq, ds, k, head_width);
                vifi_add_scaled(dk, ds, q, head_width);
                vifi_add_scaled(dk + width, p[key], dy, head_width);
            }
        }
}

VIFI_CLONES
void vifi_softmax(float *scores, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t columns, float scale,
                  ptrdiff_t first_visible, ptrdiff_t visible_step, float *log_sums) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        float *p = scores + row * stride;
        const ptrdiff_t visible = vifi_smaller(first_visible + row * visible_step, columns);
        const ptrdiff_t whole = visible - visible % VIFI_LANES;
        float largest = p[0];
        if (whole > 0) {
            vifi_lanes top = VIFI_LOAD(p);
            for (ptrdiff_t i = VIFI_LANES; i < whole; i += VIFI_LANES)
                top = __builtin_elementwise_max(top, VIFI_LOAD(p + i));
            for (int lane = 0; lane < VIFI_LANES; lane++) largest = top[lane] > largest ? top[lane] : largest;
        }
        for (ptrdiff_t i = whole; i < visible; i++) largest = p[i] > largest ? p[i] : largest;
        for (ptrdiff_t i = 0; i < visible; i++) p[i] = vifi_exp(scale * (p[i] - largest));
        vifi_lanes lanes = {};
        float rest = 0;
        for (ptrdiff_t i = 0; i < whole; i += VIFI_LANES) lanes += VIFI_LOAD(p + i);
        for (ptrdiff_t i = whole; i < visible; i++) rest += p[i];
        const float sum = vifi_lane_sum(&lanes) + rest;
        const float inverse = 1.0f / sum;
        for (ptrdiff_t i = 0; i < visible; i++) p[i] *= inverse;
        for (ptrdiff_t i = visible; i < columns; i++) p[i] = 0;
        log_sums[row] = scale * largest + logf(sum);
    }
}

VIFI_CLONES
void vifi_softmax_backward(float *scores, float *gradient, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t columns,
                           float scale, ptrdiff_t first_visible, ptrdiff_t visible_step, const float *log_sums) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        float *p = scores + row * stride;
        float *g = gradient + row * stride;
        const ptrdiff_t visible = vifi_smaller(first_visible + row * visible_step, columns);
        const ptrdiff_t whole = visible - visible % VIFI_LANES;
        const float log_sum = log_sums[row];
        for (ptrdiff_t i = 0; i < visible; i++) p[i] = vifi_exp(scale * p[i] - log_sum);
        vifi_lanes lanes = {};
        float rest = 0;
        for (ptrdiff_t i = 0; i < whole; i += VIFI_LANES) lanes += VIFI_LOAD(p + i) * VIFI_LOAD(g + i);
        for (ptrdiff_t i = whole; i < visible; i++) rest += p[i] * g[i];
        const float mean = vifi_lane_sum(&lanes) + rest;
        for (ptrdiff_t i = 0; i < visible; i++) g[i] = scale * p[i] * (g[i] - mean);
        for (ptrdiff_t i = visible; i < columns; i++) p[i] = g[i] = 0;
    }
}

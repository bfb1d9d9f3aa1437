#include "CKernels.h"
#include "vector.h"

VIFI_CLONES
void vifi_quick_gelu(const float *input, float *output, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) output[i] = input[i] / (1.0f + vifi_exp(-1.702f * input[i]));
}

// d/dx x s(ax) = s + a x s (1 - s), with s the sigmoid and a = 1.702.
VIFI_CLONES
void vifi_quick_gelu_backward(const float *input, float *gradient, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) {
        const float s = 1.0f / (1.0f + vifi_exp(-1.702f * input[i]));
        gradient[i] *= s + 1.702f * input[i] * s * (1.0f - s);
    }
}

VIFI_CLONES
void vifi_softmax(float *scores, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t columns, float scale,
                  ptrdiff_t first_visible, ptrdiff_t visible_step) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        float *p = scores + row * stride;
        ptrdiff_t visible = first_visible + row * visible_step;
        if (visible > columns) visible = columns;
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
        const float inverse = 1.0f / (vifi_lane_sum(&lanes) + rest);
        for (ptrdiff_t i = 0; i < visible; i++) p[i] *= inverse;
        for (ptrdiff_t i = visible; i < columns; i++) p[i] = 0;
    }
}

VIFI_CLONES
void vifi_softmax_backward(const float *probabilities, float *gradient, ptrdiff_t stride,
                           ptrdiff_t rows, ptrdiff_t columns, float scale) {
    const ptrdiff_t whole = columns - columns % VIFI_LANES;
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *p = probabilities + row * stride;
        float *g = gradient + row * stride;
        vifi_lanes lanes = {};
        float rest = 0;
        for (ptrdiff_t i = 0; i < whole; i += VIFI_LANES) lanes += VIFI_LOAD(p + i) * VIFI_LOAD(g + i);
        for (ptrdiff_t i = whole; i < columns; i++) rest += p[i] * g[i];
        const float mean = vifi_lane_sum(&lanes) + rest;
        for (ptrdiff_t i = 0; i < columns; i++) g[i] = scale * p[i] * (g[i] - mean);
    }
}

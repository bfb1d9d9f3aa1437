#include "CKernels.h"
#include "formulas.h"

VIFI_CLONES
void vifi_to_bfloat16(const float *restrict input, ptrdiff_t input_stride, uint16_t *restrict output, ptrdiff_t rows,
                      ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *x = input + row * input_stride;
        uint16_t *y = output + row * width;
        for (ptrdiff_t i = 0; i < width; i++) y[i] = vifi_rounded(x[i]);
    }
}

VIFI_CLONES
void vifi_layer_norm_bf16(const float *input, ptrdiff_t input_stride, const float *weight, const float *bias,
                          uint16_t *restrict output, float *mean, float *inverse_deviation, ptrdiff_t rows,
                          ptrdiff_t width, float epsilon) {
    const ptrdiff_t whole = width - width % VIFI_LANES;
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *x = input + row * input_stride;
        uint16_t *y = output + row * width;
        float m, inverse;
        vifi_moments(x, whole, width, epsilon, &m, &inverse);
        for (ptrdiff_t i = 0; i < width; i++) y[i] = vifi_rounded((x[i] - m) * inverse * weight[i] + bias[i]);
        mean[row] = m;
        inverse_deviation[row] = inverse;
    }
}

VIFI_CLONES
void vifi_quick_gelu_bf16(const uint16_t *restrict input, uint16_t *restrict output, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) {
        const float x = vifi_widened(input[i]);
        output[i] = vifi_rounded(vifi_quick_gelu_at(x));
    }
}

VIFI_CLONES
void vifi_quick_gelu_bf16_backward(const uint16_t *restrict input, uint16_t *restrict gradient, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++)
        gradient[i] = vifi_rounded(vifi_widened(gradient[i]) * vifi_quick_gelu_slope(vifi_widened(input[i])));
}

VIFI_CLONES
void vifi_gelu_bf16(const uint16_t *restrict input, uint16_t *restrict output, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) output[i] = vifi_rounded(vifi_gelu_at(vifi_widened(input[i])));
}

VIFI_CLONES
void vifi_gelu_bf16_backward(const uint16_t *restrict input, uint16_t *restrict gradient, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++)
        gradient[i] = vifi_rounded(vifi_widened(gradient[i]) * vifi_gelu_slope(vifi_widened(input[i])));
}

VIFI_CLONES
void vifi_tanh_gelu_bf16(const uint16_t *restrict input, uint16_t *restrict output, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) output[i] = vifi_rounded(vifi_tanh_gelu_at(vifi_widened(input[i])));
}

VIFI_CLONES
void vifi_tanh_gelu_bf16_backward(const uint16_t *restrict input, uint16_t *restrict gradient, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++)
        gradient[i] = vifi_rounded(vifi_widened(gradient[i]) * vifi_tanh_gelu_slope(vifi_widened(input[i])));
}

VIFI_CLONES
void vifi_add_bf16(const uint16_t *input, ptrdiff_t input_stride, float *output, ptrdiff_t output_stride, ptrdiff_t rows,
                   ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const uint16_t *x = input + row * input_stride;
        float *y = output + row * output_stride;
        for (ptrdiff_t i = 0; i < width; i++) y[i] += vifi_widened(x[i]);
    }
}

VIFI_CLONES
void vifi_sum_rows_bf16(const uint16_t *input, ptrdiff_t stride, float *sums, ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const uint16_t *x = input + row * stride;
        for (ptrdiff_t i = 0; i < width; i++) sums[i] += vifi_widened(x[i]);
    }
}

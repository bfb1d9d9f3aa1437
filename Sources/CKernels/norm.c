#include "CKernels.h"
#include "formulas.h"

VIFI_CLONES
void vifi_layer_norm(const float *input, ptrdiff_t input_stride, const float *weight, const float *bias,
                     float *output, ptrdiff_t output_stride, float *mean, float *inverse_deviation,
                     ptrdiff_t rows, ptrdiff_t width, float epsilon) {
    const ptrdiff_t whole = width - width % VIFI_LANES;
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *x = input + row * input_stride;
        float *y = output + row * output_stride;
        float m, inverse;
        vifi_moments(x, whole, width, epsilon, &m, &inverse);
        for (ptrdiff_t i = 0; i < width; i++) y[i] = (x[i] - m) * inverse * weight[i] + bias[i];
        mean[row] = m;
        inverse_deviation[row] = inverse;
    }
}

// With n = (x - mean) / deviation and g = output_gradient * weight:
// dx = (g - mean(g) - n * mean(g * n)) / deviation.
VIFI_CLONES
void vifi_layer_norm_backward(const float *output_gradient, ptrdiff_t gradient_stride,
                              const float *input, ptrdiff_t input_stride, const float *weight,
                              const float *mean, const float *inverse_deviation,
                              float *input_gradient, ptrdiff_t input_gradient_stride,
                              ptrdiff_t rows, ptrdiff_t width) {
    const ptrdiff_t whole = width - width % VIFI_LANES;
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *dy = output_gradient + row * gradient_stride;
        const float *x = input + row * input_stride;
        float *dx = input_gradient + row * input_gradient_stride;
        const float m = mean[row], inverse = inverse_deviation[row];
        vifi_lanes sums = {}, products = {};
        float sum = 0, product = 0;
        for (ptrdiff_t i = 0; i < whole; i += VIFI_LANES) {
            const vifi_lanes g = VIFI_LOAD(dy + i) * VIFI_LOAD(weight + i);
            sums += g;
            products += g * (VIFI_LOAD(x + i) - VIFI_SPLAT(m));
        }
        for (ptrdiff_t i = whole; i < width; i++) {
            sum += dy[i] * weight[i];
            product += dy[i] * weight[i] * (x[i] - m);
        }
        const float g_mean = (vifi_lane_sum(&sums) + sum) / (float)width;
        const float gn_mean = (vifi_lane_sum(&products) + product) * inverse / (float)width;
        for (ptrdiff_t i = 0; i < width; i++)
            dx[i] += inverse * (dy[i] * weight[i] - g_mean - (x[i] - m) * inverse * gn_mean);
    }
}

VIFI_CLONES
void vifi_layer_norm_weights(const float *output_gradient, ptrdiff_t gradient_stride,
                             const float *input, ptrdiff_t input_stride,
                             const float *mean, const float *inverse_deviation,
                             float *weight_gradient, float *bias_gradient, ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *dy = output_gradient + row * gradient_stride;
        const float *x = input + row * input_stride;
        const float m = mean[row], inverse = inverse_deviation[row];
        for (ptrdiff_t i = 0; i < width; i++) {
            weight_gradient[i] += dy[i] * (x[i] - m) * inverse;
            bias_gradient[i] += dy[i];
        }
    }
}

VIFI_CLONES
void vifi_normalize_rows(const float *input, ptrdiff_t input_stride, float *output, ptrdiff_t output_stride,
                         float *lengths, ptrdiff_t rows, ptrdiff_t width) {
    const ptrdiff_t whole = width - width % VIFI_LANES;
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *x = input + row * input_stride;
        float *y = output + row * output_stride;
        vifi_lanes lanes = {};
        float rest = 0;
        for (ptrdiff_t i = 0; i < whole; i += VIFI_LANES) lanes += VIFI_LOAD(x + i) * VIFI_LOAD(x + i);
        for (ptrdiff_t i = whole; i < width; i++) rest += x[i] * x[i];
        const float length = sqrtf(vifi_lane_sum(&lanes) + rest);
        const float inverse = 1.0f / (length > 1e-12f ? length : 1e-12f);  // torch.nn.functional.normalize
        for (ptrdiff_t i = 0; i < width; i++) y[i] = x[i] * inverse;
        lengths[row] = length;
    }
}

VIFI_CLONES
void vifi_normalize_rows_backward(const float *output, ptrdiff_t output_stride, const float *lengths,
                                  const float *gradient, ptrdiff_t gradient_stride,
                                  float *input_gradient, ptrdiff_t input_gradient_stride,
                                  ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *y = output + row * output_stride;
        const float *g = gradient + row * gradient_stride;
        float *dx = input_gradient + row * input_gradient_stride;
        float product = 0;
        for (ptrdiff_t i = 0; i < width; i++) product += y[i] * g[i];
        const float inverse = 1.0f / (lengths[row] > 1e-12f ? lengths[row] : 1e-12f);
        for (ptrdiff_t i = 0; i < width; i++) dx[i] += inverse * (g[i] - y[i] * product);
    }
}

#include "CKernels.h"
#include "vector.h"

VIFI_CLONES
void vifi_fill_rows(const float *bias, float *output, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) memcpy(output + row * stride, bias, (size_t)width * sizeof(float));
}

VIFI_CLONES
void vifi_add_row(const float *input, ptrdiff_t input_stride, const float *bias,
                  float *output, ptrdiff_t output_stride, ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *x = input + row * input_stride;
        float *y = output + row * output_stride;
        for (ptrdiff_t i = 0; i < width; i++) y[i] = x[i] + bias[i];
    }
}

VIFI_CLONES
void vifi_merge_rows(const float *input, ptrdiff_t input_stride, const float *places, const float *factors,
                     float *output, ptrdiff_t output_stride, ptrdiff_t rows, ptrdiff_t output_rows, ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < output_rows; row++) memset(output + row * output_stride, 0, (size_t)width * sizeof(float));
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *x = input + row * input_stride;
        const float factor = factors[row];
        float *y = output + (ptrdiff_t)places[row] * output_stride;
        for (ptrdiff_t i = 0; i < width; i++) y[i] += factor * x[i];
    }
}

VIFI_CLONES
void vifi_merge_rows_backward(const float *output_gradient, ptrdiff_t gradient_stride, const float *places,
                              const float *factors, float *input_gradient, ptrdiff_t input_gradient_stride,
                              ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *dy = output_gradient + (ptrdiff_t)places[row] * gradient_stride;
        const float factor = factors[row];
        float *dx = input_gradient + row * input_gradient_stride;
        for (ptrdiff_t i = 0; i < width; i++) dx[i] = factor * dy[i];
    }
}

VIFI_CLONES
void vifi_add(const float *input, ptrdiff_t input_stride, float *output, ptrdiff_t output_stride,
              ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *x = input + row * input_stride;
        float *y = output + row * output_stride;
        for (ptrdiff_t i = 0; i < width; i++) y[i] += x[i];
    }
}

VIFI_CLONES
void vifi_sum_rows(const float *input, ptrdiff_t stride, float *sums, ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *x = input + row * stride;
        for (ptrdiff_t i = 0; i < width; i++) sums[i] += x[i];
    }
}

void vifi_patches(const float *frame, ptrdiff_t side, ptrdiff_t patch, float *output, ptrdiff_t output_stride) {
    const ptrdiff_t grid = side / patch;
    for (ptrdiff_t row = 0; row < grid; row++)
        for (ptrdiff_t column = 0; column < grid; column++) {
            float *target = output + (row * grid + column) * output_stride;
            for (ptrdiff_t channel = 0; channel < 3; channel++)
                for (ptrdiff_t y = 0; y < patch; y++) {
                    const float *source = frame + (channel * side + row * patch + y) * side + column * patch;
                    memcpy(target, source, (size_t)patch * sizeof(float));
                    target += patch;
                }
        }
}

void vifi_join_patches(const float *patches, ptrdiff_t stride, ptrdiff_t side, ptrdiff_t patch, float *frame) {
    const ptrdiff_t grid = side / patch;
    for (ptrdiff_t row = 0; row < grid; row++)
        for (ptrdiff_t column = 0; column < grid; column++) {
            const float *source = patches + (row * grid + column) * stride;
            for (ptrdiff_t channel = 0; channel < 3; channel++)
                for (ptrdiff_t y = 0; y < patch; y++) {
                    float *target = frame + (channel * side + row * patch + y) * side + column * patch;
                    memcpy(target, source, (size_t)patch * sizeof(float));
                    source += patch;
                }
        }
}

VIFI_CLONES
void vifi_adamw(float *value, const float *gradient, float *first_moment, float *second_moment, ptrdiff_t count,
                float decay, float beta1, float beta2, float step_size, float inverse_correction, float epsilon) {
    for (ptrdiff_t i = 0; i < count; i++) {
        const float g = gradient[i];
        const float m = beta1 * first_moment[i] + (1.0f - beta1) * g;
        const float v = beta2 * second_moment[i] + (1.0f - beta2) * g * g;
        first_moment[i] = m;
        second_moment[i] = v;
        value[i] = value[i] * decay - step_size * m / (__builtin_sqrtf(v) * inverse_correction + epsilon);
    }
}

VIFI_CLONES
ptrdiff_t vifi_count_non_finite(const float *values, ptrdiff_t count) {
    int64_t found = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, sizeof bits);
        found += (bits & 0x7F800000u) == 0x7F800000u;
    }
    return (ptrdiff_t)found;
}

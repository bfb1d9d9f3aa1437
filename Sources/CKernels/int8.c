#include "CKernels.h"
#include "formulas.h"

enum { VIFI_BYTE_LIMIT = 127, VIFI_BYTE_SHIFT = 128 };

// A row's scale, and what its numbers are multiplied by to become bytes.
typedef struct {
    float scale, inverse;
} vifi_byte_scale;

// `bits` are those of the row's largest magnitude: as integers they are in the order of the magnitudes, infinity and
// NaN last. Magnitudes near the smallest normal number have no inverse; they count as zero.
VIFI_INLINE vifi_byte_scale vifi_byte_scale_of(uint32_t bits) {
    if (bits >= 0x7F800000u) return (vifi_byte_scale){.scale = NAN, .inverse = 0};
    float magnitude;
    memcpy(&magnitude, &bits, sizeof magnitude);
    if (magnitude < 1e-30f) return (vifi_byte_scale){0};
    return (vifi_byte_scale){.scale = magnitude / VIFI_BYTE_LIMIT, .inverse = VIFI_BYTE_LIMIT / magnitude};
}

VIFI_INLINE uint32_t vifi_largest_magnitude(const float *x, ptrdiff_t width) {
    uint32_t largest = 0;
    for (ptrdiff_t i = 0; i < width; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7FFFFFFFu;
        largest = bits > largest ? bits : largest;
    }
    return largest;
}

// The integer nearest to a number below 2^22, ties to even: adding 1.5 * 2^23 leaves it in the lowest bits. A product
// of its own, so that the same numbers come out with and without fused multiplication. NaN becomes some integer.
VIFI_INLINE int32_t vifi_nearest(float x, float inverse) {
    const float product = x * inverse;
    const float shifted = product + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits - 0x4B400000;
}

VIFI_CLONES
void vifi_to_int8(const float *restrict input, ptrdiff_t input_stride, int8_t *restrict output, float *restrict scales,
                  int32_t *restrict sums, ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *x = input + row * input_stride;
        int8_t *y = output + row * width;
        const vifi_byte_scale scale = vifi_byte_scale_of(vifi_largest_magnitude(x, width));
        int32_t sum = 0;
        for (ptrdiff_t i = 0; i < width; i++) {
            const int32_t nearest = vifi_nearest(x[i], scale.inverse);
            y[i] = (int8_t)nearest;
            sum += y[i];
        }
        scales[row] = scale.scale;
        sums[row] = sum;
    }
}

VIFI_CLONES
void vifi_to_uint8(const float *restrict input, ptrdiff_t input_stride, uint8_t *restrict output, float *restrict scales,
                   ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *x = input + row * input_stride;
        uint8_t *y = output + row * width;
        const vifi_byte_scale scale = vifi_byte_scale_of(vifi_largest_magnitude(x, width));
        for (ptrdiff_t i = 0; i < width; i++) y[i] = (uint8_t)(vifi_nearest(x[i], scale.inverse) + VIFI_BYTE_SHIFT);
        scales[row] = scale.scale;
    }
}

VIFI_CLONES
void vifi_to_uint8_bf16(const uint16_t *restrict input, ptrdiff_t input_stride, uint8_t *restrict output,
                        float *restrict scales, ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const uint16_t *x = input + row * input_stride;
        uint8_t *y = output + row * width;
        uint16_t largest = 0;
        for (ptrdiff_t i = 0; i < width; i++) {
            const uint16_t magnitude = x[i] & 0x7FFFu;
            largest = magnitude > largest ? magnitude : largest;
        }
        const vifi_byte_scale scale = vifi_byte_scale_of((uint32_t)largest << 16);
        for (ptrdiff_t i = 0; i < width; i++)
            y[i] = (uint8_t)(vifi_nearest(vifi_widened(x[i]), scale.inverse) + VIFI_BYTE_SHIFT);
        scales[row] = scale.scale;
    }
}

// One number of a product. The sums are exact; they are rounded once, when they become float32.
VIFI_INLINE float vifi_product_at(const int32_t *products, float row_scale, vifi_byte_columns columns, ptrdiff_t i) {
    const int32_t sum = products[i] - VIFI_BYTE_SHIFT * columns.sums[i];
    return (float)sum * (row_scale * columns.scales[i]) + columns.bias[i];
}

// The three loops over one row are apart, so that none of them decides anything.
#define VIFI_ROWS_FROM_INT8(round)                                                                                     \
    for (ptrdiff_t row = 0; row < rows; row++) {                                                                       \
        const int32_t *x = products + row * width;                                                                     \
        const float scale = row_scales[row];                                                                           \
        switch (activation) {                                                                                          \
        case VIFI_NO_ACTIVATION:                                                                                       \
            for (ptrdiff_t i = 0; i < width; i++) y[i] = round(vifi_product_at(x, scale, columns, i));                 \
            break;                                                                                                     \
        case VIFI_QUICK_GELU:                                                                                          \
            for (ptrdiff_t i = 0; i < width; i++)                                                                      \
                y[i] = round(vifi_quick_gelu_at(vifi_product_at(x, scale, columns, i)));                               \
            break;                                                                                                     \
        case VIFI_GELU:                                                                                                \
            for (ptrdiff_t i = 0; i < width; i++)                                                                      \
                y[i] = round(vifi_gelu_at(vifi_product_at(x, scale, columns, i)));                                     \
            break;                                                                                                     \
        case VIFI_TANH_GELU:                                                                                           \
            for (ptrdiff_t i = 0; i < width; i++)                                                                      \
                y[i] = round(vifi_tanh_gelu_at(vifi_product_at(x, scale, columns, i)));                                \
            break;                                                                                                     \
        }                                                                                                              \
        y += output_stride;                                                                                            \
    }

VIFI_CLONES
void vifi_from_int8(const int32_t *restrict products, const float *restrict row_scales, vifi_byte_columns columns,
                    vifi_activation activation, float *restrict output, ptrdiff_t output_stride, ptrdiff_t rows,
                    ptrdiff_t width) {
    float *restrict y = output;
    VIFI_ROWS_FROM_INT8()
}

VIFI_CLONES
void vifi_from_int8_bf16(const int32_t *restrict products, const float *restrict row_scales, vifi_byte_columns columns,
                         vifi_activation activation, uint16_t *restrict output, ptrdiff_t output_stride, ptrdiff_t rows,
                         ptrdiff_t width) {
    uint16_t *restrict y = output;
    VIFI_ROWS_FROM_INT8(vifi_rounded)
}

VIFI_CLONES
void vifi_add_from_int8(const int32_t *restrict products, const float *restrict row_scales, vifi_byte_columns columns,
                        float *restrict output, ptrdiff_t output_stride, ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const int32_t *x = products + row * width;
        float *y = output + row * output_stride;
        const float scale = row_scales[row];
        for (ptrdiff_t i = 0; i < width; i++) y[i] += vifi_product_at(x, scale, columns, i);
    }
}

// Rows of numbers to bytes and a scale for each row, and sums of products of bytes back to numbers.
#ifndef VIFI_INT8_H
#define VIFI_INT8_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    VIFI_NO_ACTIVATION,
    VIFI_QUICK_GELU,
    VIFI_GELU,
    VIFI_TANH_GELU,
} vifi_activation;

// Each row becomes bytes from -127 to 127, rounded to nearest, ties to even: times their scale, a 127th of the row's
// largest magnitude, they are its numbers again. `sums` are those of each row's bytes. Where a number is not finite,
// the scale is NaN, so that all that is made of the row is NaN.
void vifi_to_int8(const float *input, ptrdiff_t input_stride, int8_t *output, float *scales, int32_t *sums,
                  ptrdiff_t rows, ptrdiff_t width);

// The same bytes, 128 added to each: from 1 to 255.
void vifi_to_uint8(const float *input, ptrdiff_t input_stride, uint8_t *output, float *scales, ptrdiff_t rows,
                   ptrdiff_t width);
void vifi_to_uint8_bf16(const uint16_t *input, ptrdiff_t input_stride, uint8_t *output, float *scales, ptrdiff_t rows,
                        ptrdiff_t width);

// What each column of a product brings along.
typedef struct {
    const float *scales;
    // Of the column's bytes: undoes the 128 that were added to the other factor's.
    const int32_t *sums;
    const float *bias;
} vifi_byte_columns;

// With row r and column c: output = activation(row_scales[r] * scales[c] * (products[r, c] - 128 * sums[c]) + bias[c]).
// `products` have no gaps between their rows.
void vifi_from_int8(const int32_t *products, const float *row_scales, vifi_byte_columns columns, vifi_activation activation,
                    float *output, ptrdiff_t output_stride, ptrdiff_t rows, ptrdiff_t width);
void vifi_from_int8_bf16(const int32_t *products, const float *row_scales, vifi_byte_columns columns,
                         vifi_activation activation, uint16_t *output, ptrdiff_t output_stride, ptrdiff_t rows,
                         ptrdiff_t width);

// The same without activation, added to `output`.
void vifi_add_from_int8(const int32_t *products, const float *row_scales, vifi_byte_columns columns, float *output,
                        ptrdiff_t output_stride, ptrdiff_t rows, ptrdiff_t width);

#endif

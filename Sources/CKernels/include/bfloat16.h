// float32 to bfloat16, its upper half: 8 bits of exponent, 7 of fraction.
#ifndef VIFI_BFLOAT16_H
#define VIFI_BFLOAT16_H

#include <stddef.h>
#include <stdint.h>

// Rows `input_stride` floats apart to rows without gaps. Rounds to nearest, ties to even; NaN stays NaN.
void vifi_to_bfloat16(const float *input, ptrdiff_t input_stride, uint16_t *output, ptrdiff_t rows, ptrdiff_t width);

#endif

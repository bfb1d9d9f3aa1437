#include "CKernels.h"
#include "vector.h"

VIFI_CLONES
void vifi_to_bfloat16(const float *restrict input, ptrdiff_t input_stride, uint16_t *restrict output, ptrdiff_t rows,
                      ptrdiff_t width) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *x = input + row * input_stride;
        uint16_t *y = output + row * width;
        for (ptrdiff_t i = 0; i < width; i++) {
            uint32_t bits;
            memcpy(&bits, x + i, sizeof bits);
            const uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
            // Rounding would carry a NaN's fraction into the sign.
            const uint32_t quiet = bits >> 16 | 0x40u;
            y[i] = (uint16_t)((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
        }
    }
}

#include "CKernels.h"
#include "vector.h"

VIFI_CLONES
void vifi_rotate_pairs(float *values, ptrdiff_t stride, const float *cosines, const float *sines, ptrdiff_t rows,
                       ptrdiff_t heads, ptrdiff_t head_width, float direction) {
    const ptrdiff_t pairs = head_width / 2;
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *c = cosines + row * pairs, *s = sines + row * pairs;
        for (ptrdiff_t head = 0; head < heads; head++) {
            float *x = values + row * stride + head * head_width;
            for (ptrdiff_t i = 0; i < pairs; i++) {
                const float first = x[2 * i], second = x[2 * i + 1], sine = direction * s[i];
                x[2 * i] = first * c[i] - second * sine;
                x[2 * i + 1] = second * c[i] + first * sine;
            }
        }
    }
}

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

// The normal distribution Phi(x) = erfc(-x / sqrt(2)) / 2, within 4e-7 of its value down to -9 (a few ulp
// where it matters, more in the tail, where the square is rounded before it is raised). Chebyshev fit of
// erfc: Press et al., Numerical Recipes in C, 2nd edition, section 6.2.
VIFI_INLINE float vifi_normal(float x) {
    const float z = __builtin_fabsf(x) * 0.707106781f;
    const float t = 1.0f / (1.0f + 0.5f * z);
    float p = 0.17087277f;
    p = p * t - 0.82215223f;
    p = p * t + 1.48851587f;
    p = p * t - 1.13520398f;
    p = p * t + 0.27886807f;
    p = p * t - 0.18628806f;
    p = p * t + 0.09678418f;
    p = p * t + 0.37409196f;
    p = p * t + 1.00002368f;
    p = p * t - 1.26551223f;
    const float tail = 0.5f * t * vifi_exp(p - z * z);
    return x < 0.0f ? tail : 1.0f - tail;
}

VIFI_CLONES
void vifi_gelu(const float *input, float *output, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) output[i] = input[i] * vifi_normal(input[i]);
}

VIFI_CLONES
void vifi_gelu_backward(const float *input, float *gradient, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) {
        const float x = input[i];
        // Beyond 14 the density is zero, which vifi_exp only comes near to.
        const float near = x < -14.0f ? -14.0f : x > 14.0f ? 14.0f : x;
        gradient[i] *= vifi_normal(x) + near * 0.398942280f * vifi_exp(-0.5f * near * near);
    }
}

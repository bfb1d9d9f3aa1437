// Formulas that loops over several kinds of numbers share.
#ifndef VIFI_FORMULAS_H
#define VIFI_FORMULAS_H

#include "vector.h"

// float32 to bfloat16: to nearest, ties to even. Rounding would carry a NaN's fraction into the sign.
VIFI_INLINE uint16_t vifi_rounded(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
    const uint32_t quiet = bits >> 16 | 0x40u;
    return (uint16_t)((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
}

VIFI_INLINE float vifi_widened(uint16_t half) {
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

VIFI_INLINE float vifi_quick_gelu_at(float x) { return x / (1.0f + vifi_exp(-1.702f * x)); }

// d/dx x s(ax) = s + a x s (1 - s), with s the sigmoid and a = 1.702.
VIFI_INLINE float vifi_quick_gelu_slope(float x) {
    const float s = 1.0f / (1.0f + vifi_exp(-1.702f * x));
    return s + 1.702f * x * s * (1.0f - s);
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

VIFI_INLINE float vifi_gelu_at(float x) { return x * vifi_normal(x); }

VIFI_INLINE float vifi_gelu_slope(float x) {
    // Beyond 14 the density is zero, which vifi_exp only comes near to.
    const float near = x < -14.0f ? -14.0f : x > 14.0f ? 14.0f : x;
    return vifi_normal(x) + near * 0.398942280f * vifi_exp(-0.5f * near * near);
}

// x / 2 (1 + tanh(u)) = x s(2u), with u = sqrt(2 / pi) (x + 0.044715 x^3) and s the sigmoid.
VIFI_INLINE float vifi_tanh_gelu_at(float x) {
    return x / (1.0f + vifi_exp(-1.59576912f * (x + 0.044715f * x * x * x)));
}

VIFI_INLINE float vifi_tanh_gelu_slope(float x) {
    // Beyond 14 the slope is 0 or 1, which squares of what is larger would leave.
    const float near = x < -14.0f ? -14.0f : x > 14.0f ? 14.0f : x;
    const float s = 1.0f / (1.0f + vifi_exp(-1.59576912f * (near + 0.044715f * near * near * near)));
    return s + near * s * (1.0f - s) * 1.59576912f * (1.0f + 0.134145f * near * near);
}

// Mean and 1 / deviation of a row; `whole` is `width` without what fills no register.
VIFI_INLINE void vifi_moments(const float *x, ptrdiff_t whole, ptrdiff_t width, float epsilon, float *mean,
                              float *inverse_deviation) {
    vifi_lanes lanes = {};
    float rest = 0;
    for (ptrdiff_t i = 0; i < whole; i += VIFI_LANES) lanes += VIFI_LOAD(x + i);
    for (ptrdiff_t i = whole; i < width; i++) rest += x[i];
    const float m = (vifi_lane_sum(&lanes) + rest) / (float)width;
    lanes = (vifi_lanes){};
    rest = 0;
    for (ptrdiff_t i = 0; i < whole; i += VIFI_LANES) {
        const vifi_lanes d = VIFI_LOAD(x + i) - VIFI_SPLAT(m);
        lanes += d * d;
    }
    for (ptrdiff_t i = whole; i < width; i++) rest += (x[i] - m) * (x[i] - m);
    *mean = m;
    *inverse_deviation = 1.0f / sqrtf((vifi_lane_sum(&lanes) + rest) / (float)width + epsilon);
}

#endif

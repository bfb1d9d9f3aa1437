// Sixteen floats at a time: one register with AVX-512, two with AVX2, four with SSE2. The width is
// fixed, so that every processor sums in the same order.
#ifndef VIFI_VECTOR_H
#define VIFI_VECTOR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#define VIFI_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VIFI_CLONES
#endif
#define VIFI_INLINE static inline __attribute__((always_inline))

typedef float vifi_lanes __attribute__((vector_size(64)));
typedef int32_t vifi_int_lanes __attribute__((vector_size(64)));
typedef float vifi_loose __attribute__((vector_size(64), aligned(4)));

enum { VIFI_LANES = 16 };

// Macros, not functions: a vector argument would have a different calling convention in each clone.
#define VIFI_LOAD(pointer) ((vifi_lanes)(*(const vifi_loose *)(pointer)))
#define VIFI_STORE(pointer, value) (*(vifi_loose *)(pointer) = (vifi_loose)(value))
#define VIFI_SPLAT(value) ((vifi_lanes){} + (value))

// Adds the sixteen lanes pairwise.
VIFI_INLINE float vifi_lane_sum(const vifi_lanes *lanes) {
    float part[VIFI_LANES];
    memcpy(part, lanes, sizeof part);
    for (int half = VIFI_LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++) part[lane] += part[lane + half];
    return part[0];
}

// exp(x), within 2 ulp over the range of normal floats; below -87.3 it is about 1e-38, never 0/0.
// Cody and Waite reduction to |r| <= ln2 / 2, then a degree-6 minimax polynomial.
VIFI_INLINE float vifi_exp(float x) {
    x = x < -87.3f ? -87.3f : x > 88.3f ? 88.3f : x;
    const float shifted = x * 1.44269504f + 12582912.0f;
    const float whole = shifted - 12582912.0f;
    const float r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    const int32_t exponent = (int32_t)((uint32_t)(bits - 0x4B400000 + 127) << 23);
    float scale;
    memcpy(&scale, &exponent, sizeof scale);
    return p * scale;
}

#endif

#include "CKernels.h"
#include "vector.h"

// By arithmetic on bits, so that every clone is vectorized: only some processors convert halves.
VIFI_CLONES
void vifi_floats_from_halves(const void *halves, float *out, ptrdiff_t count) {
    const char *source = halves;
    // 2^112 rebiases the exponent, and normalizes subnormal halves on the way.
    const float rebias = 0x1p112f;
    for (ptrdiff_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, source + 2 * i, sizeof half);
        const uint32_t magnitude = (uint32_t)(half & 0x7FFF) << 13;
        float scaled;
        memcpy(&scaled, &magnitude, sizeof scaled);
        scaled *= rebias;
        uint32_t bits;
        memcpy(&bits, &scaled, sizeof bits);
        bits = (half & 0x7C00) == 0x7C00 ? magnitude | 0x7F800000u : bits;
        bits |= (uint32_t)(half & 0x8000) << 16;
        memcpy(out + i, &bits, sizeof bits);
    }
}

VIFI_CLONES
void vifi_floats_from_bfloats(const void *bfloats, float *out, ptrdiff_t count) {
    const char *source = bfloats;
    for (ptrdiff_t i = 0; i < count; i++) {
        uint16_t upper;
        memcpy(&upper, source + 2 * i, sizeof upper);
        const uint32_t bits = (uint32_t)upper << 16;
        memcpy(out + i, &bits, sizeof bits);
    }
}

VIFI_CLONES
void vifi_floats_from_doubles(const void *doubles, float *out, ptrdiff_t count) {
    const char *source = doubles;
    for (ptrdiff_t i = 0; i < count; i++) {
        double value;
        memcpy(&value, source + 8 * i, sizeof value);
        out[i] = (float)value;
    }
}

#include "image.h"

#include <math.h>

#if defined(__x86_64__)
#define VIFI_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VIFI_CLONES
#endif

// A fused multiply-add rounds once instead of twice. Where a result is then cut to a byte, a machine
// with it would see other pixels than a machine without.
#pragma STDC FP_CONTRACT OFF

VIFI_CLONES
void vifi_resize_row(const uint8_t *restrict row, const int32_t *restrict left, const int32_t *restrict right,
                     const int16_t *restrict weight, int32_t *restrict out, size_t width) {
    for (size_t x = 0; x < width; x++) {
        const uint8_t *a = row + 3 * (ptrdiff_t)left[x];
        const uint8_t *b = row + 3 * (ptrdiff_t)right[x];
        const int32_t wa = weight[2 * x], wb = weight[2 * x + 1];
        out[3 * x] = a[0] * wa + b[0] * wb;
        out[3 * x + 1] = a[1] * wa + b[1] * wb;
        out[3 * x + 2] = a[2] * wa + b[2] * wb;
    }
}

VIFI_CLONES
void vifi_resize_mix_rows(const int32_t *restrict upper, const int32_t *restrict lower, int32_t upperWeight,
                          int32_t lowerWeight, uint8_t *restrict out, size_t count) {
    // OpenCV drops bits in this order (VResizeLinear); adding first would differ by one level here and there.
    for (size_t i = 0; i < count; i++) {
        const int32_t a = (upperWeight * (upper[i] >> 4)) >> 16;
        const int32_t b = (lowerWeight * (lower[i] >> 4)) >> 16;
        out[i] = (uint8_t)((a + b + 2) >> 2);
    }
}

VIFI_CLONES
void vifi_resize_halve_rows(const uint8_t *restrict upper, const uint8_t *restrict lower, uint8_t *restrict out,
                            size_t width) {
    for (size_t x = 0; x < width; x++) {
        for (size_t c = 0; c < 3; c++) {
            const size_t i = 6 * x + c;
            out[3 * x + c] = (uint8_t)((upper[i] + upper[i + 3] + lower[i] + lower[i + 3] + 2) >> 2);
        }
    }
}

void vifi_map_bytes(uint8_t *restrict bytes, const uint8_t *restrict table, size_t count) {
    for (size_t i = 0; i < count; i++) bytes[i] = table[bytes[i]];
}

// 0.299, 0.587 and 0.114 in 16 fractional bits, as Pillow rounds them.
static inline uint32_t luma(const uint8_t *p) {
    return (p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16;
}

VIFI_CLONES
uint64_t vifi_luma_sum(const uint8_t *rgb, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += luma(rgb + 3 * i);
    return sum;
}

VIFI_CLONES
void vifi_gray(uint8_t *rgb, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const uint8_t l = (uint8_t)luma(rgb + 3 * i);
        rgb[3 * i] = l;
        rgb[3 * i + 1] = l;
        rgb[3 * i + 2] = l;
    }
}

VIFI_CLONES
void vifi_saturate(uint8_t *rgb, float factor, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const int32_t l = (int32_t)luma(rgb + 3 * i);
        for (size_t c = 0; c < 3; c++) {
            const float value = (float)l + factor * (float)((int32_t)rgb[3 * i + c] - l);
            const float low = value > 0.0f ? value : 0.0f;
            rgb[3 * i + c] = (uint8_t)(int32_t)(low < 255.0f ? low : 255.0f);
        }
    }
}

static inline uint8_t byteOf(float value) {
    return (uint8_t)(value <= 0 ? 0 : value >= 255 ? 255 : (int)value);
}

void vifi_turn_hue(uint8_t *rgb, uint8_t shift, size_t count) {
    // Smith 1978, with Pillow's roundings between the steps.
    for (size_t i = 0; i < count; i++) {
        uint8_t *p = rgb + 3 * i;
        const uint8_t r = p[0], g = p[1], b = p[2];
        const uint8_t high = r > g ? (r > b ? r : b) : (g > b ? g : b);
        const uint8_t low = r < g ? (r < b ? r : b) : (g < b ? g : b);
        if (high == low) continue;

        const float range = (float)(high - low);
        const float red = (float)(high - r) / range, green = (float)(high - g) / range,
                    blue = (float)(high - b) / range;
        float turn;
        if (r == high) {
            turn = blue - green;
        } else if (g == high) {
            turn = (float)(2.0 + red - blue);
        } else {
            turn = (float)(4.0 + green - red);
        }
        // In −1/6 ... 5/6 before the 1 is added, so one subtraction is the remainder.
        double part = turn / 6.0 + 1.0;
        if (part >= 1.0) part -= 1.0;
        const float fraction = (float)part;
        const uint8_t hue = (uint8_t)((uint8_t)(int)(fraction * 255.0) + shift);
        const uint8_t saturation = (uint8_t)(int)(range / (float)high * 255.0);
        if (saturation == 0) {
            p[0] = p[1] = p[2] = high;
            continue;
        }

        const int sector = (int)floor((float)hue * 6.0 / 255.0);
        const float f = (float)((float)hue * 6.0 / 255.0 - (float)sector);
        const float s = (float)(saturation / 255.0);
        const uint8_t down = byteOf((float)round((float)high * (1.0 - s)));
        const uint8_t falling = byteOf((float)round((float)high * (1.0 - s * f)));
        const uint8_t rising = byteOf((float)round((float)high * (1.0 - s * (1.0 - f))));
        switch (sector % 6) {
            case 0: p[0] = high, p[1] = rising, p[2] = down; break;
            case 1: p[0] = falling, p[1] = high, p[2] = down; break;
            case 2: p[0] = down, p[1] = high, p[2] = rising; break;
            case 3: p[0] = down, p[1] = falling, p[2] = high; break;
            case 4: p[0] = rising, p[1] = down, p[2] = high; break;
            default: p[0] = high, p[1] = down, p[2] = falling; break;
        }
    }
}

VIFI_CLONES
void vifi_normalize(const uint8_t *restrict rgb, const float *restrict mean, const float *restrict inverseDeviation,
                    float *restrict out, size_t count) {
    for (size_t c = 0; c < 3; c++) {
        const float m = mean[c], d = inverseDeviation[c];
        float *plane = out + c * count;
        for (size_t i = 0; i < count; i++) plane[i] = ((float)rgb[3 * i + c] - m) * d;
    }
}

VIFI_CLONES
void vifi_mix(float *restrict values, const float *restrict other, float share, size_t count) {
    const float rest = 1.0f - share;
    for (size_t i = 0; i < count; i++) values[i] = share * values[i] + rest * other[i];
}

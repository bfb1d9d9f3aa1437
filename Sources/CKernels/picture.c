#include "picture.h"

#include <string.h>

#if defined(__x86_64__)
#define VIFI_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VIFI_CLONES
#endif

// As in image.c: a byte must not depend on whether the machine has a fused multiply-add.
#pragma STDC FP_CONTRACT OFF

// Rows that become columns are read in squares that stay in the cache.
enum { TILE = 16 };

void vifi_turn_plane(const uint8_t *restrict input, ptrdiff_t column_step, ptrdiff_t row_step,
                     uint8_t *restrict output, ptrdiff_t output_stride, ptrdiff_t width, ptrdiff_t height,
                     ptrdiff_t element_count) {
    for (ptrdiff_t top = 0; top < height; top += TILE) {
        const ptrdiff_t bottom = top + TILE < height ? top + TILE : height;
        for (ptrdiff_t left = 0; left < width; left += TILE) {
            const ptrdiff_t right = left + TILE < width ? left + TILE : width;
            for (ptrdiff_t y = top; y < bottom; y++) {
                const uint8_t *from = input + y * row_step + left * column_step;
                uint8_t *to = output + y * output_stride + left * element_count;
                if (element_count == 1) {
                    for (ptrdiff_t x = left; x < right; x++, from += column_step) *to++ = *from;
                } else if (element_count == 2) {
                    for (ptrdiff_t x = left; x < right; x++, from += column_step, to += 2) memcpy(to, from, 2);
                } else {
                    for (ptrdiff_t x = left; x < right; x++, from += column_step, to += element_count)
                        memcpy(to, from, (size_t)element_count);
                }
            }
        }
    }
}

static inline uint8_t rolled_off(float signal, float knee) {
    // What is no number becomes 0, what is infinite some number.
    float value = signal > 0.0f ? signal : 0.0f;
    value = value < 64.0f ? value : 64.0f;
    const float rolled = knee + (1.0f - knee) * (value - knee) / (value + 1.0f - 2.0f * knee);
    value = value > knee ? rolled : value;
    return (uint8_t)(int32_t)(value * 255.0f + 0.5f);
}

VIFI_CLONES
int vifi_roll_off_line(void *picture, unsigned line, unsigned left, unsigned right) {
    const vifi_bright_picture *lines = picture;
    const ptrdiff_t row = (ptrdiff_t)(line & lines->mask);
    const float *red = (const float *)(lines->plane[0] + row * lines->stride[0]);
    const float *green = (const float *)(lines->plane[1] + row * lines->stride[1]);
    const float *blue = (const float *)(lines->plane[2] + row * lines->stride[2]);
    uint8_t *rgb = lines->rgb + (ptrdiff_t)line * lines->width * 3;
    const float knee = lines->knee;
    const ptrdiff_t end = (ptrdiff_t)right < lines->width ? (ptrdiff_t)right : lines->width;
    for (ptrdiff_t x = left; x < end; x++) {
        rgb[3 * x] = rolled_off(red[x], knee);
        rgb[3 * x + 1] = rolled_off(green[x], knee);
        rgb[3 * x + 2] = rolled_off(blue[x], knee);
    }
    return 0;
}

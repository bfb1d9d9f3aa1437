#ifndef VIFI_IMAGE_H
#define VIFI_IMAGE_H

#include <stddef.h>
#include <stdint.h>

// Pixel loops. Pictures are interleaved 8-bit RGB, rows from the top, no padding.
// Nothing here allocates or keeps state; sizes are the caller's to check.

/// One row of a bilinear resize, horizontally, as OpenCV's INTER_LINEAR does for 8 bits:
/// `out[3x + c] = row[3·left[x] + c]·weight[2x] + row[3·right[x] + c]·weight[2x + 1]`.
/// Weights have 11 fractional bits.
void vifi_resize_row(const uint8_t *row, const int32_t *left, const int32_t *right, const int16_t *weight,
                     int32_t *out, size_t width);

/// Two such rows mixed vertically into bytes. `count` = 3 · width.
void vifi_resize_mix_rows(const int32_t *upper, const int32_t *lower, int32_t upperWeight, int32_t lowerWeight,
                          uint8_t *out, size_t count);

/// Two rows of bytes halved in both directions: each output is the rounded mean of four inputs.
void vifi_resize_halve_rows(const uint8_t *upper, const uint8_t *lower, uint8_t *out, size_t width);

/// `bytes[i] = table[bytes[i]]`.
void vifi_map_bytes(uint8_t *bytes, const uint8_t *table, size_t count);

/// The sum of the luma of `count` pixels, ITU-R 601 in 16-bit fixed point.
uint64_t vifi_luma_sum(const uint8_t *rgb, size_t count);

/// Each pixel replaced by its luma.
void vifi_gray(uint8_t *rgb, size_t count);

/// Each pixel moved from its luma (factor 0) to itself (factor 1) and beyond, truncated and clipped.
void vifi_saturate(uint8_t *rgb, float factor, size_t count);

/// The hue of each pixel turned by `shift` / 255 of a circle, through 8-bit HSV.
void vifi_turn_hue(uint8_t *rgb, uint8_t shift, size_t count);

/// Bytes to planes of floats: `out[c·count + i] = (rgb[3i + c] − mean[c]) · inverseDeviation[c]`.
void vifi_normalize(const uint8_t *rgb, const float *mean, const float *inverseDeviation, float *out, size_t count);

/// `values[i] = share·values[i] + (1 − share)·other[i]`.
void vifi_mix(float *values, const float *other, float share, size_t count);

#endif

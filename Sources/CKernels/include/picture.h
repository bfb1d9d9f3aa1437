#ifndef VIFI_PICTURE_H
#define VIFI_PICTURE_H

#include <stddef.h>
#include <stdint.h>

// Loops over decoded pictures before they become interleaved RGB. Sizes are the caller's to check.

/// A plane read in another order: element (x, y) of the output is the input's at `x·column_step + y·row_step` bytes.
/// Elements have `element_count` bytes; `width` and `height` are the output's.
void vifi_turn_plane(const uint8_t *input, ptrdiff_t column_step, ptrdiff_t row_step, uint8_t *output,
                     ptrdiff_t output_stride, ptrdiff_t width, ptrdiff_t height, ptrdiff_t element_count);

/// Lines of a picture in nonlinear R, G, B, where 1 is white and more is brighter than white.
typedef struct {
    const uint8_t *plane[3];
    /// In bytes.
    ptrdiff_t stride[3];
    /// Line i lies at row `i & mask`.
    unsigned mask;
    /// [height, width, 3].
    uint8_t *rgb;
    ptrdiff_t width;
    /// Up to this signal nothing changes.
    float knee;
} vifi_bright_picture;

/// Writes pixels `left ..< right` of a line as bytes, what is above the knee rolled off towards 1:
/// `knee + (1 - knee)·t/(1 + t)` with `t = (signal - knee)/(1 - knee)`, which goes on with slope 1.
/// In the form of zimg's output callback; `picture` is a `vifi_bright_picture`. Returns 0.
int vifi_roll_off_line(void *picture, unsigned line, unsigned left, unsigned right);

#endif

// Elements as files store them, to floats. Sources need no alignment.
#ifndef VIFI_CONVERT_H
#define VIFI_CONVERT_H

#include <stddef.h>

/// IEEE 754 halves, exactly. A NaN stays a NaN.
void vifi_floats_from_halves(const void *halves, float *out, ptrdiff_t count);

/// bfloat16: the upper half of a float.
void vifi_floats_from_bfloats(const void *bfloats, float *out, ptrdiff_t count);

/// Doubles, rounded to the nearest float.
void vifi_floats_from_doubles(const void *doubles, float *out, ptrdiff_t count);

#endif

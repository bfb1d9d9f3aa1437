#include "CKernels.h"
#include "formulas.h"

VIFI_CLONES
void vifi_quick_gelu(const float *input, float *output, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) output[i] = vifi_quick_gelu_at(input[i]);
}

VIFI_CLONES
void vifi_quick_gelu_backward(const float *input, float *gradient, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) gradient[i] *= vifi_quick_gelu_slope(input[i]);
}

VIFI_CLONES
void vifi_gelu(const float *input, float *output, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) output[i] = vifi_gelu_at(input[i]);
}

VIFI_CLONES
void vifi_gelu_backward(const float *input, float *gradient, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) gradient[i] *= vifi_gelu_slope(input[i]);
}

VIFI_CLONES
void vifi_tanh_gelu(const float *input, float *output, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) output[i] = vifi_tanh_gelu_at(input[i]);
}

VIFI_CLONES
void vifi_tanh_gelu_backward(const float *input, float *gradient, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) gradient[i] *= vifi_tanh_gelu_slope(input[i]);
}

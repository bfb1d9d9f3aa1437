// Products through oneDNN, 2.x or 3.x. In bfloat16 factors are rounded to it, sums and results are float32; in
// int8 factors are bytes with a scale for each row of the left and each column of the right one, and sums are
// exact. Compiled without VIFI_ONEDNN nothing of it is there, and vifi_onednn_state says so.
//
// A call runs on the calling thread alone; any number of threads may call at once. Results do not
// depend on which thread calls.
#ifndef VIFI_ONEDNN_H
#define VIFI_ONEDNN_H

#include <stddef.h>

#include "CKernels.h"

// What the factors of products are made of.
typedef enum {
    VIFI_BF16,
    VIFI_INT8,
} vifi_numbers;

typedef enum {
    VIFI_ONEDNN_READY,
    // The program was built without oneDNN.
    VIFI_ONEDNN_NOT_BUILT,
    // The processor has no AVX512_BF16, or no AVX512_VNNI, or ONEDNN_MAX_CPU_ISA hides it. Older instructions for
    // bytes saturate on the way to their sums.
    VIFI_ONEDNN_NO_PROCESSOR,
    // This build of oneDNN has threads that a caller cannot turn off (TBB).
    VIFI_ONEDNN_OTHER_THREADS,
    // oneDNN itself failed to start.
    VIFI_ONEDNN_BROKEN,
} vifi_onednn_status;

// Whether products of such numbers can be made here. Cheap after the first call.
vifi_onednn_status vifi_onednn_state(vifi_numbers numbers);

// oneDNN's version at run time, "2.6.3"; "" without it. The text is never freed.
const char *vifi_onednn_version(void);

// A right factor [inner, columns] in bfloat16, in the order in which oneDNN's kernels read it.
typedef struct vifi_bf16_factor vifi_bf16_factor;

// `row_stride` and `column_stride` are distances in `values`, one of them 1: a transposed factor swaps them.
// NULL where memory is short or oneDNN refuses.
vifi_bf16_factor *vifi_bf16_factor_create(const float *values, ptrdiff_t inner, ptrdiff_t columns,
                                          ptrdiff_t row_stride, ptrdiff_t column_stride);

// Rounds `values` of the same shape and strides anew. Zero on success. Not while others multiply with it.
int vifi_bf16_factor_refresh(vifi_bf16_factor *factor, const float *values);

// Bytes that the factor takes.
size_t vifi_bf16_factor_bytes(const vifi_bf16_factor *factor);

void vifi_bf16_factor_free(vifi_bf16_factor *factor);

// Rows of numbers, `stride` numbers apart: bfloat16, or float32 that products round.
typedef struct {
    void *pointer;
    ptrdiff_t stride;
    int is_half;
} vifi_product_rows;

// output[rows, columns] = input[rows, inner] * factor + bias, or += where `adding`. `bias` is a row of float32, or
// NULL. An output in bfloat16 has no gaps, and nothing is added to it. Zero on success.
int vifi_bf16_multiply(vifi_product_rows input, ptrdiff_t rows, const vifi_bf16_factor *factor, const float *bias,
                       vifi_product_rows output, int adding);

// output[rows, columns] = left[rows, inner] * right[inner, columns], or += where `adding`; a transposed factor is
// stored the other way round. Zero on success.
int vifi_bf16_multiply_both(vifi_product_rows left, int is_left_transposed, vifi_product_rows right, int is_right_transposed,
                            ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t inner,
                            float *output, ptrdiff_t output_stride, int adding);

// A right factor in bytes, in the order in which oneDNN's kernels read it, with the scales and sums of its columns.
typedef struct vifi_int8_factor vifi_int8_factor;

enum {
    // The longest rows of bytes whose products 32 bits can always sum.
    VIFI_INT8_LONGEST = 65536,
};

// From a weight as PyTorch stores it, [columns, inner], rows `stride` floats apart: one scale for each row, which is
// a column of the factor. NULL where memory is short, rows are too long or oneDNN refuses.
vifi_int8_factor *vifi_int8_factor_create(const float *weight, ptrdiff_t columns, ptrdiff_t inner, ptrdiff_t stride);

void vifi_int8_factor_free(vifi_int8_factor *factor);

// output[rows, columns] = activation(input[rows, inner] * factor + bias), or += where `adding`, without activation.
// `bias` is a row of float32, or NULL. Nothing is added to an output in bfloat16. Zero on success.
int vifi_int8_multiply(vifi_product_rows input, ptrdiff_t rows, const vifi_int8_factor *factor, const float *bias,
                       vifi_activation activation, vifi_product_rows output, int adding);

// output = scale * left * right + (adding ? output : 0), all float32 and row-major; `left` is [rows, inner] and
// `right` [inner, columns] after transposing where asked. Not zero where oneDNN or AVX-512 is missing: then
// nothing was computed.
int vifi_fp32_multiply(int left_transposed, int right_transposed, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t inner,
                       float scale, const float *left, ptrdiff_t left_stride, const float *right,
                       ptrdiff_t right_stride, int adding, float *output, ptrdiff_t output_stride);

#endif

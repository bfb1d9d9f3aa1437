// oneDNN's objects behind the products: layouts, primitives and the memory that each thread owns.
#ifndef VIFI_PRIMITIVE_H
#define VIFI_PRIMITIVE_H

#include <oneapi/dnnl/dnnl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// A memory layout: a value in oneDNN 2, an object behind a pointer in oneDNN 3.
typedef struct {
    dnnl_memory_desc_t descriptor;
} vifi_layout;

// What tells one product from another on the same thread.
typedef struct {
    ptrdiff_t rows, columns, inner;
    int is_left_transposed, is_right_transposed, is_right_packed, is_adding, has_bias, is_output_half;
} vifi_product_key;

// The layout in which oneDNN reads a bfloat16 right factor [inner, columns] fastest. Zero on success.
int vifi_factor_layout(ptrdiff_t inner, ptrdiff_t columns, vifi_layout *layout);
size_t vifi_layout_bytes(const vifi_layout *layout);
void vifi_layout_free(vifi_layout *layout);

// Rounds float32 values to bfloat16 in `layout`. Zero on success.
int vifi_reorder(const float *values, ptrdiff_t row_stride, ptrdiff_t column_stride, ptrdiff_t rows, ptrdiff_t columns,
                 const vifi_layout *layout, void *output);

// All three are dense, unless right has a layout of its own: oneDNN 2.6 has a slow reference kernel only for
// outputs with gaps between their rows. `bias` is a row, or NULL. Zero on success.
int vifi_run_product(const vifi_product_key *key, const vifi_layout *right_layout, const void *left,
                     const void *right, const float *bias, void *output);

typedef enum {
    VIFI_SCRATCH_LEFT,
    VIFI_SCRATCH_RIGHT,
    VIFI_SCRATCH_OUTPUT,
    VIFI_SCRATCH_ONEDNN,
    VIFI_SCRATCH_COUNT,
} vifi_scratch_use;

// One of the calling thread's scratch memories, grown to `bytes`; NULL where memory is short.
void *vifi_scratch(vifi_scratch_use use, size_t bytes);

void *vifi_aligned_bytes(size_t bytes);

#endif

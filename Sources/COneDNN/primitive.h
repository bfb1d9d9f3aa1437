// oneDNN's objects behind the products: layouts, primitives and the memory that each thread owns.
#ifndef VIFI_PRIMITIVE_H
#define VIFI_PRIMITIVE_H

#include <oneapi/dnnl/dnnl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "COneDNN.h"

#if DNNL_VERSION_MAJOR < 3
#define VIFI_DESCRIPTOR(layout) (&(layout)->descriptor)
#else
#define VIFI_DESCRIPTOR(layout) ((layout)->descriptor)
#endif

// A memory layout: a value in oneDNN 2, an object behind a pointer in oneDNN 3.
typedef struct {
    dnnl_memory_desc_t descriptor;
} vifi_layout;

// What tells one product from another on the same thread.
typedef struct {
    vifi_numbers numbers;
    ptrdiff_t rows, columns, inner;
    int is_left_transposed, is_right_transposed, is_right_packed, is_adding, has_bias, is_output_half;
} vifi_product_key;

// Layouts of two dimensions. Zero on success.
int vifi_strided_layout(vifi_layout *layout, dnnl_data_type_t type, ptrdiff_t rows, ptrdiff_t columns,
                        ptrdiff_t row_stride, ptrdiff_t column_stride);
// One that oneDNN chooses.
int vifi_any_layout(vifi_layout *layout, dnnl_data_type_t type, ptrdiff_t rows, ptrdiff_t columns);
// One that belongs to a primitive's description, copied.
int vifi_queried_layout(vifi_layout *layout, const_dnnl_primitive_desc_t description, dnnl_query_t what);
size_t vifi_layout_bytes(const vifi_layout *layout);
void vifi_layout_free(vifi_layout *layout);

// The layout in which oneDNN reads a right factor [inner, columns] fastest. Zero on success.
int vifi_factor_layout(vifi_numbers numbers, ptrdiff_t inner, ptrdiff_t columns, vifi_layout *layout);

// Puts values of `type` into `layout`, and rounds them where its type is another. Zero on success.
int vifi_reorder(dnnl_data_type_t type, const void *values, ptrdiff_t row_stride, ptrdiff_t column_stride,
                 ptrdiff_t rows, ptrdiff_t columns, const vifi_layout *layout, void *output);

// Sums of bytes are int32. All three are dense, unless right has a layout of its own: oneDNN 2.6 has a slow reference kernel only for
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

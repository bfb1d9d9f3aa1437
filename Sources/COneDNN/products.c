#define _GNU_SOURCE
#include "COneDNN.h"

#ifndef VIFI_ONEDNN

vifi_bf16_status vifi_bf16_state(void) { return VIFI_BF16_NOT_BUILT; }
const char *vifi_bf16_version(void) { return ""; }
vifi_bf16_factor *vifi_bf16_factor_create(const float *values, ptrdiff_t inner, ptrdiff_t columns,
                                          ptrdiff_t row_stride, ptrdiff_t column_stride) {
    (void)values, (void)inner, (void)columns, (void)row_stride, (void)column_stride;
    return NULL;
}
int vifi_bf16_factor_refresh(vifi_bf16_factor *factor, const float *values) {
    (void)factor, (void)values;
    return -1;
}
size_t vifi_bf16_factor_bytes(const vifi_bf16_factor *factor) {
    (void)factor;
    return 0;
}
void vifi_bf16_factor_free(vifi_bf16_factor *factor) { (void)factor; }
int vifi_bf16_multiply(const float *input, ptrdiff_t input_stride, ptrdiff_t rows, const vifi_bf16_factor *factor,
                       float *output, ptrdiff_t output_stride, int adding) {
    (void)input, (void)input_stride, (void)rows, (void)factor, (void)output, (void)output_stride, (void)adding;
    return -1;
}
int vifi_bf16_multiply_both(const float *left, ptrdiff_t left_stride, int is_left_transposed,
                            const float *right, ptrdiff_t right_stride, int is_right_transposed,
                            ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t inner,
                            float *output, ptrdiff_t output_stride, int adding) {
    (void)left, (void)left_stride, (void)is_left_transposed, (void)right, (void)right_stride, (void)is_right_transposed;
    (void)rows, (void)columns, (void)inner, (void)output, (void)output_stride, (void)adding;
    return -1;
}

int vifi_fp32_multiply(int left_transposed, int right_transposed, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t inner,
                       float scale, const float *left, ptrdiff_t left_stride, const float *right,
                       ptrdiff_t right_stride, int adding, float *output, ptrdiff_t output_stride) {
    (void)left_transposed, (void)right_transposed, (void)rows, (void)columns, (void)inner, (void)scale, (void)left;
    (void)left_stride, (void)right, (void)right_stride, (void)adding, (void)output, (void)output_stride;
    return -1;
}

#else

#include <string.h>

#include "CKernels.h"
#include "primitive.h"

struct vifi_bf16_factor {
    vifi_layout layout;
    ptrdiff_t inner, columns, row_stride, column_stride;
    void *data;
};

int vifi_bf16_factor_refresh(vifi_bf16_factor *factor, const float *values) {
    return vifi_reorder(values, factor->row_stride, factor->column_stride, factor->inner, factor->columns,
                        &factor->layout, factor->data);
}

vifi_bf16_factor *vifi_bf16_factor_create(const float *values, ptrdiff_t inner, ptrdiff_t columns,
                                          ptrdiff_t row_stride, ptrdiff_t column_stride) {
    if (vifi_bf16_state() != VIFI_BF16_READY) return NULL;
    vifi_bf16_factor *factor = calloc(1, sizeof *factor);
    if (!factor) return NULL;
    factor->inner = inner;
    factor->columns = columns;
    factor->row_stride = row_stride;
    factor->column_stride = column_stride;
    if (vifi_factor_layout(inner, columns, &factor->layout) != 0
        || !(factor->data = vifi_aligned_bytes(vifi_layout_bytes(&factor->layout)))
        || vifi_bf16_factor_refresh(factor, values) != 0) {
        vifi_bf16_factor_free(factor);
        return NULL;
    }
    return factor;
}

size_t vifi_bf16_factor_bytes(const vifi_bf16_factor *factor) { return vifi_layout_bytes(&factor->layout); }

void vifi_bf16_factor_free(vifi_bf16_factor *factor) {
    if (!factor) return;
    vifi_layout_free(&factor->layout);
    free(factor->data);
    free(factor);
}

// Products go straight to rows without gaps, else by way of scratch memory.
static int product_into(vifi_product_key key, const vifi_layout *right_layout, const void *left, const void *right,
                        float *output, ptrdiff_t output_stride) {
    if (output_stride == key.columns || key.rows == 1) return vifi_run_product(&key, right_layout, left, right, output);
    float *dense = vifi_scratch(VIFI_SCRATCH_OUTPUT, (size_t)(key.rows * key.columns) * sizeof *dense);
    const int is_adding = key.is_adding;
    key.is_adding = 0;
    if (!dense || vifi_run_product(&key, right_layout, left, right, dense) != 0) return -1;
    if (is_adding) {
        vifi_add(dense, key.columns, output, output_stride, key.rows, key.columns);
    } else {
        for (ptrdiff_t row = 0; row < key.rows; row++)
            memcpy(output + row * output_stride, dense + row * key.columns, (size_t)key.columns * sizeof *dense);
    }
    return 0;
}

int vifi_bf16_multiply(const float *input, ptrdiff_t input_stride, ptrdiff_t rows, const vifi_bf16_factor *factor,
                       float *output, ptrdiff_t output_stride, int adding) {
    uint16_t *left = vifi_scratch(VIFI_SCRATCH_LEFT, (size_t)(rows * factor->inner) * sizeof *left);
    if (!left) return -1;
    vifi_to_bfloat16(input, input_stride, left, rows, factor->inner);
    const vifi_product_key key = {
        .rows = rows, .columns = factor->columns, .inner = factor->inner,
        .is_left_transposed = 0, .is_right_packed = 1, .is_adding = adding != 0,
    };
    return product_into(key, &factor->layout, left, factor->data, output, output_stride);
}

int vifi_bf16_multiply_both(const float *left, ptrdiff_t left_stride, int is_left_transposed,
                            const float *right, ptrdiff_t right_stride, int is_right_transposed,
                            ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t inner,
                            float *output, ptrdiff_t output_stride, int adding) {
    uint16_t *left_half = vifi_scratch(VIFI_SCRATCH_LEFT, (size_t)(rows * inner) * sizeof *left_half);
    uint16_t *right_half = vifi_scratch(VIFI_SCRATCH_RIGHT, (size_t)(inner * columns) * sizeof *right_half);
    if (!left_half || !right_half) return -1;
    if (is_left_transposed) vifi_to_bfloat16(left, left_stride, left_half, inner, rows);
    else vifi_to_bfloat16(left, left_stride, left_half, rows, inner);
    if (is_right_transposed) vifi_to_bfloat16(right, right_stride, right_half, columns, inner);
    else vifi_to_bfloat16(right, right_stride, right_half, inner, columns);
    const vifi_product_key key = {
        .rows = rows, .columns = columns, .inner = inner, .is_left_transposed = is_left_transposed != 0,
        .is_right_transposed = is_right_transposed != 0, .is_right_packed = 0, .is_adding = adding != 0,
    };
    return product_into(key, NULL, left_half, right_half, output, output_stride);
}

#endif

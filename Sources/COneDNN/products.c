#define _GNU_SOURCE
#include "COneDNN.h"

#ifndef VIFI_ONEDNN

vifi_onednn_status vifi_onednn_state(vifi_numbers numbers) {
    (void)numbers;
    return VIFI_ONEDNN_NOT_BUILT;
}
const char *vifi_onednn_version(void) { return ""; }
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
int vifi_bf16_multiply(vifi_product_rows input, ptrdiff_t rows, const vifi_bf16_factor *factor, const float *bias,
                       vifi_product_rows output, int adding) {
    (void)input, (void)rows, (void)factor, (void)bias, (void)output, (void)adding;
    return -1;
}
int vifi_bf16_multiply_both(vifi_product_rows left, int is_left_transposed, vifi_product_rows right, int is_right_transposed,
                            ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t inner,
                            float *output, ptrdiff_t output_stride, int adding) {
    (void)left, (void)is_left_transposed, (void)right, (void)is_right_transposed;
    (void)rows, (void)columns, (void)inner, (void)output, (void)output_stride, (void)adding;
    return -1;
}

vifi_int8_factor *vifi_int8_factor_create(const float *weight, ptrdiff_t columns, ptrdiff_t inner, ptrdiff_t stride) {
    (void)weight, (void)columns, (void)inner, (void)stride;
    return NULL;
}
void vifi_int8_factor_free(vifi_int8_factor *factor) { (void)factor; }
int vifi_int8_multiply(vifi_product_rows input, ptrdiff_t rows, const vifi_int8_factor *factor, const float *bias,
                       vifi_activation activation, vifi_product_rows output, int adding) {
    (void)input, (void)rows, (void)factor, (void)bias, (void)activation, (void)output, (void)adding;
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
    return vifi_reorder(dnnl_f32, values, factor->row_stride, factor->column_stride, factor->inner, factor->columns,
                        &factor->layout, factor->data);
}

vifi_bf16_factor *vifi_bf16_factor_create(const float *values, ptrdiff_t inner, ptrdiff_t columns,
                                          ptrdiff_t row_stride, ptrdiff_t column_stride) {
    if (vifi_onednn_state(VIFI_BF16) != VIFI_ONEDNN_READY) return NULL;
    vifi_bf16_factor *factor = calloc(1, sizeof *factor);
    if (!factor) return NULL;
    factor->inner = inner;
    factor->columns = columns;
    factor->row_stride = row_stride;
    factor->column_stride = column_stride;
    if (vifi_factor_layout(VIFI_BF16, inner, columns, &factor->layout) != 0
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
                        const float *bias, float *output, ptrdiff_t output_stride) {
    if (output_stride == key.columns || key.rows == 1)
        return vifi_run_product(&key, right_layout, left, right, bias, output);
    float *dense = vifi_scratch(VIFI_SCRATCH_OUTPUT, (size_t)(key.rows * key.columns) * sizeof *dense);
    const int is_adding = key.is_adding;
    key.is_adding = 0;
    if (!dense || vifi_run_product(&key, right_layout, left, right, bias, dense) != 0) return -1;
    if (is_adding) {
        vifi_add(dense, key.columns, output, output_stride, key.rows, key.columns);
    } else {
        for (ptrdiff_t row = 0; row < key.rows; row++)
            memcpy(output + row * output_stride, dense + row * key.columns, (size_t)key.columns * sizeof *dense);
    }
    return 0;
}

// Rows without gaps, rounded: themselves where they are already. NULL where memory is short.
static const uint16_t *rounded(vifi_product_rows rows, ptrdiff_t count, ptrdiff_t width, vifi_scratch_use use) {
    if (rows.is_half) {
        if (rows.stride == width || count == 1) return rows.pointer;
        uint16_t *dense = vifi_scratch(use, (size_t)(count * width) * sizeof *dense);
        for (ptrdiff_t row = 0; dense && row < count; row++)
            memcpy(dense + row * width, (const uint16_t *)rows.pointer + row * rows.stride, (size_t)width * sizeof *dense);
        return dense;
    }
    uint16_t *half = vifi_scratch(use, (size_t)(count * width) * sizeof *half);
    if (half) vifi_to_bfloat16(rows.pointer, rows.stride, half, count, width);
    return half;
}

int vifi_bf16_multiply(vifi_product_rows input, ptrdiff_t rows, const vifi_bf16_factor *factor, const float *bias,
                       vifi_product_rows output, int adding) {
    const uint16_t *left = rounded(input, rows, factor->inner, VIFI_SCRATCH_LEFT);
    if (!left) return -1;
    const vifi_product_key key = {
        .rows = rows, .columns = factor->columns, .inner = factor->inner, .is_right_packed = 1,
        .is_adding = adding != 0, .has_bias = bias != NULL, .is_output_half = output.is_half != 0,
    };
    if (!output.is_half) return product_into(key, &factor->layout, left, factor->data, bias, output.pointer, output.stride);
    if ((output.stride != factor->columns && rows > 1) || adding) return -1;
    return vifi_run_product(&key, &factor->layout, left, factor->data, bias, output.pointer);
}

int vifi_bf16_multiply_both(vifi_product_rows left, int is_left_transposed, vifi_product_rows right, int is_right_transposed,
                            ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t inner,
                            float *output, ptrdiff_t output_stride, int adding) {
    const uint16_t *left_half =
        is_left_transposed ? rounded(left, inner, rows, VIFI_SCRATCH_LEFT) : rounded(left, rows, inner, VIFI_SCRATCH_LEFT);
    const uint16_t *right_half = is_right_transposed ? rounded(right, columns, inner, VIFI_SCRATCH_RIGHT)
                                                     : rounded(right, inner, columns, VIFI_SCRATCH_RIGHT);
    if (!left_half || !right_half) return -1;
    const vifi_product_key key = {
        .rows = rows, .columns = columns, .inner = inner, .is_left_transposed = is_left_transposed != 0,
        .is_right_transposed = is_right_transposed != 0, .is_adding = adding != 0,
    };
    return product_into(key, NULL, left_half, right_half, NULL, output, output_stride);
}

#endif

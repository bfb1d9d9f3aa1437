#ifdef VIFI_ONEDNN

#include <stdint.h>
#include <string.h>

#include "CKernels.h"
#include "primitive.h"

enum {
    // At most so many rows go together: their sums, four bytes each, are still in a cache near the processor when
    // they become numbers again.
    block_rows = 80,
};

struct vifi_int8_factor {
    vifi_layout layout;
    ptrdiff_t inner, columns;
    int8_t *data;
    // Of each column.
    float *scales;
    int32_t *sums;
    // The bias of products that have none.
    float *zeros;
};

// Fills what belongs to the columns and packs their bytes. Zero on success.
static int fill(vifi_int8_factor *factor, const float *weight, ptrdiff_t stride) {
    const size_t columns = (size_t)factor->columns;
    int8_t *bytes = vifi_aligned_bytes(columns * (size_t)factor->inner);
    factor->scales = vifi_aligned_bytes(columns * sizeof *factor->scales);
    factor->sums = vifi_aligned_bytes(columns * sizeof *factor->sums);
    factor->zeros = calloc(columns, sizeof *factor->zeros);
    int failed = !bytes || !factor->scales || !factor->sums || !factor->zeros
                 || vifi_factor_layout(VIFI_INT8, factor->inner, factor->columns, &factor->layout) != 0
                 || !(factor->data = vifi_aligned_bytes(vifi_layout_bytes(&factor->layout)));
    if (!failed) {
        vifi_to_int8(weight, stride, bytes, factor->scales, factor->sums, factor->columns, factor->inner);
        failed = vifi_reorder(dnnl_s8, bytes, 1, factor->inner, factor->inner, factor->columns, &factor->layout, factor->data);
    }
    free(bytes);
    return failed;
}

vifi_int8_factor *vifi_int8_factor_create(const float *weight, ptrdiff_t columns, ptrdiff_t inner, ptrdiff_t stride) {
    if (vifi_onednn_state(VIFI_INT8) != VIFI_ONEDNN_READY || inner > VIFI_INT8_LONGEST) return NULL;
    vifi_int8_factor *factor = calloc(1, sizeof *factor);
    if (!factor) return NULL;
    factor->inner = inner;
    factor->columns = columns;
    if (fill(factor, weight, stride) != 0) {
        vifi_int8_factor_free(factor);
        return NULL;
    }
    return factor;
}

void vifi_int8_factor_free(vifi_int8_factor *factor) {
    if (!factor) return;
    vifi_layout_free(&factor->layout);
    free(factor->data);
    free(factor->scales);
    free(factor->sums);
    free(factor->zeros);
    free(factor);
}

// The rows from `first` on.
static vifi_product_rows after(vifi_product_rows rows, ptrdiff_t first) {
    rows.pointer = rows.is_half ? (void *)((uint16_t *)rows.pointer + first * rows.stride)
                                : (void *)((float *)rows.pointer + first * rows.stride);
    return rows;
}

static int multiply_block(vifi_product_rows input, ptrdiff_t rows, const vifi_int8_factor *factor, const float *bias,
                          vifi_activation activation, vifi_product_rows output, int adding) {
    float row_scales[block_rows];
    uint8_t *bytes = vifi_scratch(VIFI_SCRATCH_LEFT, (size_t)(rows * factor->inner));
    int32_t *sums = vifi_scratch(VIFI_SCRATCH_OUTPUT, (size_t)(rows * factor->columns) * sizeof *sums);
    if (!bytes || !sums) return -1;
    if (input.is_half) {
        vifi_to_uint8_bf16(input.pointer, input.stride, bytes, row_scales, rows, factor->inner);
    } else {
        vifi_to_uint8(input.pointer, input.stride, bytes, row_scales, rows, factor->inner);
    }
    const vifi_product_key key = {
        .numbers = VIFI_INT8, .rows = rows, .columns = factor->columns, .inner = factor->inner, .is_right_packed = 1,
    };
    if (vifi_run_product(&key, &factor->layout, bytes, factor->data, NULL, sums) != 0) return -1;
    const vifi_byte_columns columns = {.scales = factor->scales, .sums = factor->sums, .bias = bias};
    if (output.is_half) {
        vifi_from_int8_bf16(sums, row_scales, columns, activation, output.pointer, output.stride, rows, factor->columns);
    } else if (adding) {
        vifi_add_from_int8(sums, row_scales, columns, output.pointer, output.stride, rows, factor->columns);
    } else {
        vifi_from_int8(sums, row_scales, columns, activation, output.pointer, output.stride, rows, factor->columns);
    }
    return 0;
}

int vifi_int8_multiply(vifi_product_rows input, ptrdiff_t rows, const vifi_int8_factor *factor, const float *bias,
                       vifi_activation activation, vifi_product_rows output, int adding) {
    if (adding && (output.is_half || activation != VIFI_NO_ACTIVATION)) return -1;
    const ptrdiff_t blocks = (rows + block_rows - 1) / block_rows;
    for (ptrdiff_t block = 0; block < blocks; block++) {
        const ptrdiff_t first = block * rows / blocks, next = (block + 1) * rows / blocks;
        const int status = multiply_block(after(input, first), next - first, factor, bias ? bias : factor->zeros, activation,
                                          after(output, first), adding);
        if (status != 0) return status;
    }
    return 0;
}

#endif

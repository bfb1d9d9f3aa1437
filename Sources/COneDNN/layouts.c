#ifdef VIFI_ONEDNN

#include <string.h>

#include "primitive.h"

int vifi_strided_layout(vifi_layout *layout, dnnl_data_type_t type, ptrdiff_t rows, ptrdiff_t columns,
                        ptrdiff_t row_stride, ptrdiff_t column_stride) {
    const dnnl_dims_t sizes = {rows, columns}, strides = {row_stride, column_stride};
#if DNNL_VERSION_MAJOR < 3
    return dnnl_memory_desc_init_by_strides(&layout->descriptor, 2, sizes, type, strides) != dnnl_success;
#else
    return dnnl_memory_desc_create_with_strides(&layout->descriptor, 2, sizes, type, strides) != dnnl_success;
#endif
}

int vifi_any_layout(vifi_layout *layout, dnnl_data_type_t type, ptrdiff_t rows, ptrdiff_t columns) {
    const dnnl_dims_t sizes = {rows, columns};
#if DNNL_VERSION_MAJOR < 3
    return dnnl_memory_desc_init_by_tag(&layout->descriptor, 2, sizes, type, dnnl_format_tag_any) != dnnl_success;
#else
    return dnnl_memory_desc_create_with_tag(&layout->descriptor, 2, sizes, type, dnnl_format_tag_any) != dnnl_success;
#endif
}

void vifi_layout_free(vifi_layout *layout) {
#if DNNL_VERSION_MAJOR >= 3
    if (layout->descriptor) dnnl_memory_desc_destroy(layout->descriptor);
#endif
    memset(layout, 0, sizeof *layout);
}

size_t vifi_layout_bytes(const vifi_layout *layout) { return dnnl_memory_desc_get_size(VIFI_DESCRIPTOR(layout)); }

int vifi_queried_layout(vifi_layout *layout, const_dnnl_primitive_desc_t description, dnnl_query_t what) {
#if DNNL_VERSION_MAJOR < 3
    const dnnl_memory_desc_t *found = dnnl_primitive_desc_query_md(description, what, 0);
    if (!found) return -1;
    layout->descriptor = *found;
    return 0;
#else
    const_dnnl_memory_desc_t found = dnnl_primitive_desc_query_md(description, what, 0);
    return !found || dnnl_memory_desc_clone(&layout->descriptor, found) != dnnl_success;
#endif
}

#endif

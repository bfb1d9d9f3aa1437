#ifndef VIFI_ZIMG_SHIM_H
#define VIFI_ZIMG_SHIM_H

#include <zimg.h>

// Macros with casts, which Swift cannot import.
static inline unsigned vifi_zimg_version(void) { return ZIMG_API_VERSION; }
static inline unsigned vifi_zimg_whole_plane(void) { return ZIMG_BUFFER_MAX; }

// Members without a name, which Swift cannot import. A plane of a picture in memory, and a ring of output lines.
static inline void vifi_zimg_set_input(zimg_image_buffer_const *buffer, int plane, const void *data, ptrdiff_t stride)
{
    buffer->plane[plane].data = data;
    buffer->plane[plane].stride = stride;
    buffer->plane[plane].mask = ZIMG_BUFFER_MAX;
}

static inline void vifi_zimg_set_output(zimg_image_buffer *buffer, int plane, void *data, ptrdiff_t stride, unsigned mask)
{
    buffer->plane[plane].data = data;
    buffer->plane[plane].stride = stride;
    buffer->plane[plane].mask = mask;
}

#endif

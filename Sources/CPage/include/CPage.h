#ifndef CPAGE_H
#define CPAGE_H

#include <stddef.h>

/// A file of the page, as the folder `page` holds it.
typedef struct {
    const char *name;
    const unsigned char *bytes;
    size_t count;
} vifi_page_file;

/// All files of the page.
const vifi_page_file *vifi_page_files(void);
size_t vifi_page_file_count(void);

#endif

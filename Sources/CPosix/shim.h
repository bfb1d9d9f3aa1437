#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Lets two paths change names in one step; Linux's renameat2 with RENAME_EXCHANGE, which glibc shows to
/// GNU programs only. Returns 0, or -1 and sets errno.
static inline int vifi_exchange_paths(const char *first, const char *second) {
    return (int)syscall(SYS_renameat2, AT_FDCWD, first, AT_FDCWD, second, 1u << 1);
}

/// Of glibc, which shows it to GNU programs only.
int sync_file_range(int descriptor, long offset, long count, unsigned int flags);

/// Asks the disk to begin writing `count` bytes from `offset` on, and does not wait for it; Linux's
/// sync_file_range with SYNC_FILE_RANGE_WRITE. A hint: nobody needs its result.
static inline void vifi_start_writing(int descriptor, long offset, long count) {
    (void)sync_file_range(descriptor, offset, count, 2);
}

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Lets two paths change names in one step; Linux's renameat2 with RENAME_EXCHANGE, which glibc shows to
/// GNU programs only. Returns 0, or -1 and sets errno.
static inline int vifi_exchange_paths(const char *first, const char *second) {
    return (int)syscall(SYS_renameat2, AT_FDCWD, first, AT_FDCWD, second, 1u << 1);
}

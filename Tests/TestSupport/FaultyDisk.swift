/// Makes calls of the C library fail, so that the program under test meets the disk's
/// faults and a network file system's gaps.
package final class FaultyDisk {
    private let library: PreloadLibrary

    package init() throws { library = try PreloadLibrary(Self.source) }

    /// One kind of call that fails.
    package struct Fault {
        let text: String

        /// - Parameters:
        ///   - call: `fsync`, `fsyncdir`, `pread`, `write`, `flock`, `exchange`.
        ///   - error: of `errno`; nil for a call that never returns.
        ///   - path: part of the path of the file that is meant.
        ///   - skipping: calls that work before the first that fails.
        package init(_ call: String, _ error: Int32?, path: String = "", skipping: Int = 0) {
            text = "\(call):\(error ?? 0):\(skipping):\(path)"
        }
    }

    package func environment(_ faults: Fault...) -> [String: String] {
        ["LD_PRELOAD": library.path, "FAULTS": faults.map(\.text).joined(separator: ";")]
    }

    private static let source = """
        #include <dlfcn.h>
        #include <errno.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/stat.h>
        #include <sys/syscall.h>
        #include <unistd.h>

        static int skipped[16];

        static int fails(const char *call, const char *path) {
            const char *fault = getenv("FAULTS");
            for (int number = 0; fault && *fault && number < 16; number++) {
                char name[16], part[256] = "";
                int error, skip;
                const char *end = strchr(fault, ';');
                int length = end ? (int)(end - fault) : (int)strlen(fault);
                char one[512];
                snprintf(one, sizeof one, "%.*s", length, fault);
                if (sscanf(one, "%15[^:]:%d:%d:%255[^\\n]", name, &error, &skip, part) >= 3
                    && !strcmp(name, call) && strstr(path, part) && __sync_fetch_and_add(&skipped[number], 1) >= skip) {
                    if (error == 0) for (;;) sleep(1000);
                    errno = error;
                    return 1;
                }
                fault = end ? end + 1 : 0;
            }
            return 0;
        }

        static int failsAt(const char *call, int descriptor) {
            char link[64], path[4096];
            snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
            ssize_t count = readlink(link, path, sizeof path - 1);
            path[count < 0 ? 0 : count] = 0;
            return fails(call, path);
        }

        #define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

        int fsync(int descriptor) {
            struct stat status;
            int isFolder = fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
            return failsAt(isFolder ? "fsyncdir" : "fsync", descriptor) ? -1 : REAL(fsync)(descriptor);
        }

        ssize_t pread(int descriptor, void *buffer, size_t count, off_t offset) {
            return failsAt("pread", descriptor) ? -1 : REAL(pread)(descriptor, buffer, count, offset);
        }

        ssize_t pread64(int descriptor, void *buffer, size_t count, off64_t offset) {
            return failsAt("pread", descriptor) ? -1 : REAL(pread64)(descriptor, buffer, count, offset);
        }

        ssize_t write(int descriptor, const void *buffer, size_t count) {
            return failsAt("write", descriptor) ? -1 : REAL(write)(descriptor, buffer, count);
        }

        int flock(int descriptor, int operation) {
            return failsAt("flock", descriptor) ? -1 : ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(descriptor, operation);
        }

        long faulty_syscall(long number, long a, long b, long c, long d, long e, long f) {
            if (number == SYS_renameat2 && e == 2 && fails("exchange", (const char *)d)) return -1;
            return ((long (*)(long, ...))dlsym(RTLD_NEXT, "syscall"))(number, a, b, c, d, e, f);
        }

        // The header declares it with another list of arguments.
        __asm__(".globl syscall\\n.set syscall, faulty_syscall");
        """
}

import Foundation
import TestSupport

/// A camera of Video4Linux that is not there: what libavdevice asks of the system for one file is answered by a library in between.
///
/// It shows 10 pictures a second of 64 × 48 pixels in YUYV, each of one gray: its luma is 16 + 8 n mod 200 for picture n. After
/// `TEST_PICTURES` none follow until it is opened again. With `TEST_NO_PICTURES` it is a device for output, with `TEST_NO_LIBRARY`
/// libavdevice cannot be loaded.
struct FakeCamera {
    static let (width, height) = (64, 48)
    static func luma(_ picture: Int) -> UInt8 { UInt8(16 + picture * 8 % 200) }

    /// The device's name; a plain file for all but the program.
    let path: String
    private let library: PreloadLibrary

    /// Whether there are a compiler, the system's header, and libavdevice.
    static let canBeMade: Bool = PreloadLibrary.canBeMade && FileManager.default.fileExists(atPath: "/usr/include/linux/videodev2.h")
        && ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"].contains { folder in
            ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).contains { $0.hasPrefix("libavdevice.so.") }
        }

    init(in folder: TemporaryDirectory) throws {
        try folder.write("", to: "camera")
        path = folder.path("camera")
        library = try PreloadLibrary(Self.source)
    }

    /// For the program that reads it.
    func environment(_ settings: [String: String] = [:]) -> [String: String] {
        settings.merging(["LD_PRELOAD": library.path, "TEST_CAMERA": path]) { $1 }
    }

    private static let source = """
        #include <dlfcn.h>
        #include <errno.h>
        #include <fcntl.h>
        #include <linux/videodev2.h>
        #include <stdarg.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <sys/stat.h>
        #include <sys/sysmacros.h>
        #include <time.h>
        #include <unistd.h>

        enum { width = 64, height = 48, bytes = width * height * 2, buffers = 8 };
        static const char *name(void) { return getenv("TEST_CAMERA"); }
        static int camera = -1, count, queued[buffers], length;
        static unsigned char *memory;
        static long shown, limit;
        static struct timespec start;

        static long now(void) {
            struct timespec time;
            clock_gettime(CLOCK_MONOTONIC, &time);
            return (time.tv_sec - start.tv_sec) * 1000000 + (time.tv_nsec - start.tv_nsec) / 1000;
        }

        static int is_camera(const char *path) { return name() && path && !strcmp(path, name()); }

        int fstatat(int folder, const char *path, struct stat *result, int flags) {
            int (*next)(int, const char *, struct stat *, int) = dlsym(RTLD_NEXT, "fstatat");
            int code = next(folder, path, result, flags);
            if (!code && is_camera(path)) result->st_mode = S_IFCHR | 0660, result->st_rdev = makedev(81, 0);
            return code;
        }

        static int opened(const char *path, int flags, int mode, const char *function) {
            int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, function);
            int descriptor = next(path, flags, mode);
            if (is_camera(path)) camera = descriptor, shown = length = count = 0;
            return descriptor;
        }

        int open(const char *path, int flags, ...) {
            va_list list;
            va_start(list, flags);
            int mode = va_arg(list, int);
            va_end(list);
            return opened(path, flags, mode, "open");
        }

        int open64(const char *path, int flags, ...) {
            va_list list;
            va_start(list, flags);
            int mode = va_arg(list, int);
            va_end(list);
            return opened(path, flags, mode, "open64");
        }

        int close(int descriptor) {
            int (*next)(int) = dlsym(RTLD_NEXT, "close");
            if (descriptor == camera) camera = -1;
            return next(descriptor);
        }

        static int refuse(int code) {
            errno = code;
            return -1;
        }

        int ioctl(int descriptor, unsigned long request, ...) {
            va_list list;
            va_start(list, request);
            void *argument = va_arg(list, void *);
            va_end(list);
            int (*next)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
            if (descriptor < 0 || descriptor != camera) return next(descriptor, request, argument);
            switch ((unsigned)request) {
            case VIDIOC_QUERYCAP: {
                struct v4l2_capability *it = argument;
                memset(it, 0, sizeof *it);
                it->capabilities = getenv("TEST_NO_PICTURES") ? V4L2_CAP_VIDEO_OUTPUT : V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
                return 0;
            }
            case VIDIOC_G_INPUT:
                *(int *)argument = 0;
                return 0;
            case VIDIOC_ENUMINPUT:
                memset(argument, 0, sizeof(struct v4l2_input));
                return 0;
            case VIDIOC_S_FMT:
            case VIDIOC_G_FMT: {
                struct v4l2_format *it = argument;
                if ((unsigned)request == VIDIOC_S_FMT && it->fmt.pix.pixelformat != V4L2_PIX_FMT_YUYV) return refuse(EINVAL);
                it->fmt.pix.width = width, it->fmt.pix.height = height, it->fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
                it->fmt.pix.field = V4L2_FIELD_NONE, it->fmt.pix.bytesperline = width * 2, it->fmt.pix.sizeimage = bytes;
                return 0;
            }
            case VIDIOC_G_PARM:
            case VIDIOC_S_PARM: {
                struct v4l2_streamparm *it = argument;
                it->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
                it->parm.capture.timeperframe.numerator = 1, it->parm.capture.timeperframe.denominator = 10;
                return 0;
            }
            case VIDIOC_REQBUFS: {
                struct v4l2_requestbuffers *it = argument;
                it->count = it->count < buffers ? it->count : buffers;
                memory = mmap(0, (size_t)bytes * buffers, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                return 0;
            }
            case VIDIOC_QUERYBUF: {
                struct v4l2_buffer *it = argument;
                it->length = bytes, it->m.offset = it->index * 4096;
                return 0;
            }
            case VIDIOC_QBUF: {
                struct v4l2_buffer *it = argument;
                queued[length++] = it->index;
                return 0;
            }
            case VIDIOC_STREAMON:
                clock_gettime(CLOCK_MONOTONIC, &start);
                limit = getenv("TEST_PICTURES") ? atol(getenv("TEST_PICTURES")) : 1000000;
                return 0;
            case VIDIOC_STREAMOFF: return 0;
            case VIDIOC_DQBUF: {
                struct v4l2_buffer *it = argument;
                if (shown >= limit || !length || now() < shown * 100000) return refuse(EAGAIN);
                it->index = queued[0];
                memmove(queued, queued + 1, sizeof *queued * (size_t)--length);
                for (int pixel = 0; pixel < bytes; pixel += 2)
                    memory[(size_t)it->index * bytes + pixel] = (unsigned char)(16 + shown * 8 % 200), memory[(size_t)it->index * bytes + pixel + 1] = 128;
                long time = start.tv_sec * 1000000 + start.tv_nsec / 1000 + shown * 100000;
                it->timestamp.tv_sec = time / 1000000, it->timestamp.tv_usec = time % 1000000;
                it->bytesused = bytes, it->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC, it->sequence = (unsigned)shown++;
                return 0;
            }
            default: return refuse(ENOTTY);
            }
        }

        void *mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset) {
            void *(*next)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, "mmap");
            if (descriptor >= 0 && descriptor == camera) return memory + (size_t)(offset / 4096) * bytes;
            return next(address, size, protection, flags, descriptor, offset);
        }

        void *mmap64(void *address, size_t size, int protection, int flags, int descriptor, off_t offset) {
            return mmap(address, size, protection, flags, descriptor, offset);
        }

        int munmap(void *address, size_t size) {
            int (*next)(void *, size_t) = dlsym(RTLD_NEXT, "munmap");
            unsigned char *start = address;
            return memory && start >= memory && start < memory + (size_t)bytes * buffers ? 0 : next(address, size);
        }

        void *dlopen(const char *file, int flags) {
            void *(*next)(const char *, int) = dlsym(RTLD_NEXT, "dlopen");
            return file && getenv("TEST_NO_LIBRARY") && !strncmp(file, "libavdevice", 11) ? 0 : next(file, flags);
        }
        """
}

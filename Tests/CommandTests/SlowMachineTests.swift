import Files
import Foundation
import TestSupport
import Testing

/// The clock decides nothing: on a machine whose clock runs a thousand times as fast, with a disk that fails now and then
/// and gives little at a time, the same videos are read and the same is learned.
@Suite(.serialized, .timeLimit(.minutes(15))) struct SlowMachineTests {
    /// Stands between the program and the C library.
    private static let source = """
        #include <dlfcn.h>
        #include <errno.h>
        #include <fcntl.h>
        #include <stdatomic.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>

        static atomic_long calls, total;

        ssize_t pread64(int fd, void *buffer, size_t count, off_t offset)
        {
            static ssize_t (*real)(int, void *, size_t, off_t);
            if (!real) real = (ssize_t (*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread64");
            long call = atomic_fetch_add(&calls, 1);
            if (getenv("TEST_FAULTS")) {
                if (call % 7 == 3) { errno = EIO; return -1; }
                if (call % 5 == 2) { errno = EINTR; return -1; }
                usleep(300);
                if (count > 1000) count = count / 3;
            }
            ssize_t got = real(fd, buffer, count, offset);
            if (got > 0) atomic_fetch_add(&total, got);
            return got;
        }

        ssize_t pread(int fd, void *buffer, size_t count, off_t offset) { return pread64(fd, buffer, count, offset); }

        int clock_gettime(clockid_t clock, struct timespec *time)
        {
            static int (*real)(clockid_t, struct timespec *);
            if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
            int code = real(clock, time);
            if (getenv("TEST_FAULTS") && clock != CLOCK_REALTIME && clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID)
                time->tv_sec *= 1000;
            return code;
        }

        __attribute__((destructor)) static void tell(void)
        {
            const char *path = getenv("TEST_TOTAL");
            int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
            if (fd >= 0) { dprintf(fd, "%ld\\n", (long)total); close(fd); }
        }

        /* The program leaves before the destructors of its libraries. */
        void _exit(int status)
        {
            tell();
            syscall(SYS_exit_group, status);
            __builtin_unreachable();
        }
        """

    private func learn(_ output: String) -> [String] {
        [
            "learn", "--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2",
            "--batch-size", "2", "--accumulation-steps", "1", "--epochs", "2", "--save-every", "0", "--threads", "1", "--vision-tokens", "2",
            "--text-tokens", "2", "--on-bad-video", "skip", "--output", output,
        ]
    }

    @Test func theSameSeedGivesTheSameFile() throws {
        let program = try Program.withVideos()
        let library = try PreloadLibrary(Self.source)
        let slow = ["LD_PRELOAD": library.path, "TEST_FAULTS": "1"]
        #expect(try program.run(learn("fast")).status == 0)
        let outcome = try program.run(learn("slow"), environment: slow)
        #expect(outcome.status == 0 && !outcome.messages.contains("skipped"), "\(outcome.messages)")
        let files = ["fast", "slow"].map { program.folder.path("\($0)/prompts/last.safetensors") }
        #expect(try Digest.ofFile(files[0]) == Digest.ofFile(files[1]))
        let check = ["data", "check", "list.txt", "--threads", "3"]
        let checked = try program.run(check, environment: slow)
        #expect(checked.status == 0 && checked.output == "10 videos, 0 broken, 0 odd\n", "\(checked.messages)")
        for window in [[], ["--window", "4f"], ["--window", "0.1s"]] {
            let predict = ["predict", "video1.mp4", "--prompts", "fast/prompts/last.safetensors", "--backbone", "clip.safetensors", "--json"] + window
            let expected = try program.run(predict)
            #expect(expected.status == 0)
            for isolation in [[], ["--isolate"]] {
                let outcome = try program.run(predict + isolation, environment: slow)
                #expect(outcome.output == expected.output && outcome.status == 0, "\(outcome.messages)")
            }
        }
    }

    /// A file that cannot be read at all for the disk's sake ends a run, whatever is done about bad videos.
    @Test func aDiskThatStaysBrokenEndsTheRun() throws {
        let program = try Program.withVideos()
        let source = Self.source.replacingOccurrences(of: "call % 7 == 3", with: "count > 1000")
            .replacingOccurrences(of: "usleep(300);", with: "")
            // Between two tries there is a pause by the true clock.
            .replacingOccurrences(of: "time->tv_sec *= 1000;", with: ";")
        let library = try PreloadLibrary(source)
        let environment = ["LD_PRELOAD": library.path, "TEST_FAULTS": "1"]
        let outcome = try program.run(["data", "check", "list.txt", "--threads", "1"], environment: environment)
        #expect(outcome.status == 74 && outcome.messages.contains("video0.mp4: cannot be read: Input/output error"), "\(outcome.output)\(outcome.messages)")
    }

    /// Each epoch reads of a large file what its frames need.
    @Test func videosAreReadAsAWholeOnce() throws {
        let program = try Program.withVideos()
        let made = try program.shell(
            "ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=320x240:rate=25,noise=alls=60:allf=t -frames:v 400 -c:v libx264 -preset ultrafast -crf 10 -g 25 large.mkv")
        try #require(made.status == 0, "\(made.messages)")
        let byteCount = try #require(FileManager.default.attributesOfItem(atPath: program.folder.path("large.mkv"))[.size] as? Int)
        try #require(byteCount > 20_000_000)
        try program.folder.write("large.mkv 0\nvideo1.mp4 1\n", to: "list.txt")
        let library = try PreloadLibrary(Self.source)
        func total(epochs: Int) throws -> Int {
            var arguments = learn("run\(epochs)")
            let place = try #require(arguments.firstIndex(of: "--epochs"))
            arguments[place + 1] = "\(epochs)"
            let outcome = try program.run(
                arguments, environment: ["LD_PRELOAD": library.path, "TEST_TOTAL": program.folder.path("total\(epochs)")])
            try #require(outcome.status == 0, "\(outcome.messages)")
            return try String(contentsOfFile: program.folder.path("total\(epochs)"), encoding: .utf8).split(separator: "\n").compactMap { Int($0) }.reduce(0, +)
        }
        let (two, six) = (try total(epochs: 2), try total(epochs: 6))
        #expect(six - two < 4 * byteCount / 2, "\(two) and \(six) bytes of \(byteCount)")
    }
}

import Files
import Glibc

/// What names of files made here start with. In memory: file systems on disks flush files that are written anew.
let scratchPath = (access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + "/vifi-fuzz-\(getpid())"

func overwrite(_ path: String, with bytes: [UInt8]) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0, write(descriptor, bytes, bytes.count) == bytes.count else {
        print("\(path): cannot be written")
        exit(74)
    }
    close(descriptor)
}

/// The bytes of a file that must be there.
func contents(of path: String) -> [UInt8] {
    do {
        return try InputFile.contents(of: path, limit: 1 << 24)
    } catch {
        print(error)
        exit(66)
    }
}

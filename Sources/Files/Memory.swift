import Glibc

/// Whether the system gives this process `byteCount` more bytes now.
///
/// Swift ends the process where memory runs out, so whoever is about to ask for much asks this first. An answer of
/// yes is not a promise: another process may be faster.
package func isMemoryAvailable(_ byteCount: Int) -> Bool {
    guard byteCount > 0 else { return true }
    // The same request as the real one: a limit on the address space and the system's own rules apply to it.
    let block = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let block = unsafe block, unsafe block != MAP_FAILED else { return false }
    unsafe munmap(block, byteCount)
    // Address space is given away freely; what is not there is only noticed when it is used, by the process's end.
    guard byteCount >= 64 << 20, let free = freeMemory() else { return true }
    return byteCount <= free
}

/// - Throws: `FileError` where so much memory is not to be had for what is read from `path`.
package func requireMemory(_ byteCount: Int, for path: String) throws(FileError) {
    guard isMemoryAvailable(byteCount) else { throw FileError(path: path, problem: .shortage(.memory(neededBytes: byteCount))) }
}

/// Below this a request is not worth asking for.
package let smallRequest = 1 << 20

/// What the whole system can give without taking it from somebody; nil where it does not say.
private func freeMemory() -> Int? {
    let descriptor = unsafe open("/proc/meminfo", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
    guard count > 0 else { return nil }
    var sizes: [String: Int] = [:]
    for line in String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n") {
        let words = line.split(separator: " ")
        guard words.count >= 2, let size = Int(words[1]) else { continue }
        sizes[String(words[0])] = size
    }
    return sizes["MemAvailable:"].map { ($0 + (sizes["SwapFree:"] ?? 0)) << 10 }
}

/// "12.8 GB", "4 KB".
package func sizeInWords(_ byteCount: Int) -> String {
    for (unit, bytes) in [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1000)] where byteCount >= bytes {
        let tenths = (10 * Double(byteCount) / Double(bytes)).rounded()
        let whole = tenths.truncatingRemainder(dividingBy: 10) == 0 || tenths >= 1000
        return "\(whole ? "\(Int((tenths / 10).rounded()))" : "\(tenths / 10)") \(unit)"
    }
    return "\(byteCount) bytes"
}

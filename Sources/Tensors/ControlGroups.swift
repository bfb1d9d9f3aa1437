import Glibc

/// What Linux lets this process use: the control groups around it, as containers, service managers and batch systems
/// lay them, in either version of the interface and in both at once.
///
/// Sources: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/ of the kernel, proc_pid_cgroup(5), proc_pid_mountinfo(5).
package struct ControlGroups: Sendable, Equatable {
    /// Bytes; the tightest limit, and the least that is left below one. nil without a limit.
    package var memory: Int?
    package var memoryLeft: Int?
    /// Processors' worth of time.
    package var processors: Double?

    /// Those around this process, as they are now.
    package static var here: ControlGroups { ControlGroups(root: "") }

    /// - Parameter root: stands before every path, also before those that the mounts name.
    package init(root: String) {
        let mounts = Self.mounts(kernelFile(root + "/proc/self/mountinfo"))
        for line in kernelFile(root + "/proc/self/cgroup").split(separator: "\n") {
            // Number, controllers, path; the second version has no controllers here.
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let controllers = Set(parts[1].split(separator: ",").map(String.init))
            for mount in mounts where mount.holds(controllers) {
                for folder in mount.folders(from: String(parts[2])) {
                    if controllers.isEmpty {
                        readSecond(root + folder)
                    } else {
                        if controllers.contains("memory") { readFirstMemory(root + folder) }
                        if controllers.contains("cpu") { readFirstTime(root + folder) }
                    }
                }
            }
        }
    }

    // MARK: One group

    private mutating func readSecond(_ folder: String) {
        let limits = ["memory.max", "memory.high"].compactMap { Int(word(0, of: folder + "/" + $0)) }
        take(
            limit: limits.min(), used: Int(word(0, of: folder + "/memory.current")),
            cached: Self.value("inactive_file", in: kernelFile(folder + "/memory.stat")))
        take(quota: Double(word(0, of: folder + "/cpu.max")), period: Double(word(1, of: folder + "/cpu.max")))
    }

    private mutating func readFirstMemory(_ folder: String) {
        let stat = kernelFile(folder + "/memory.stat")
        // Says "no limit" by a huge number. The group's own limit need not be the tightest above it.
        let limits = [Int(word(0, of: folder + "/memory.limit_in_bytes")), Self.value("hierarchical_memory_limit", in: stat)]
        take(
            limit: limits.compactMap(\.self).min().flatMap { $0 < 1 << 60 ? $0 : nil },
            used: Int(word(0, of: folder + "/memory.usage_in_bytes")),
            cached: Self.value("total_inactive_file", in: stat) ?? Self.value("inactive_file", in: stat))
    }

    private mutating func readFirstTime(_ folder: String) {
        take(
            quota: Double(word(0, of: folder + "/cpu.cfs_quota_us")), period: Double(word(0, of: folder + "/cpu.cfs_period_us")))
    }

    private mutating func take(limit: Int?, used: Int?, cached: Int?) {
        guard let limit, limit >= 0 else { return }
        memory = min(memory ?? .max, limit)
        // Pages of files go when memory is wanted.
        memoryLeft = min(memoryLeft ?? .max, max(0, limit - max(0, (used ?? 0) - max(0, cached ?? 0))))
    }

    private mutating func take(quota: Double?, period: Double?) {
        guard let quota, let period, quota > 0, period > 0, quota.isFinite else { return }
        processors = min(processors ?? .infinity, quota / period)
    }

    // MARK: Where groups are

    private struct Mount {
        /// The group that the mount shows at its top.
        let top: String
        let path: String
        /// Of the first version; nil for the second.
        let controllers: Set<String>?

        func holds(_ wanted: Set<String>) -> Bool {
            controllers.map { !wanted.isEmpty && !wanted.isDisjoint(with: $0) } ?? wanted.isEmpty
        }

        /// The group's folder and those above it. A container may show a path that begins above what it mounts: then
        /// the mount itself is the group.
        func folders(from group: String) -> [String] {
            var inner = Substring(group)
            if top != "/" {
                guard group == top || group.hasPrefix(top + "/") else { return [path] }
                inner = inner.dropFirst(top.utf8.count)
            }
            guard !inner.split(separator: "/").contains("..") else { return [path] }
            var folders = [path]
            for part in inner.split(separator: "/").prefix(256) { folders.append((folders.last ?? path) + "/" + part) }
            return folders
        }
    }

    private static func mounts(_ text: String) -> [Mount] {
        text.split(separator: "\n").compactMap { line in
            let halves = line.split(separator: " - ", maxSplits: 1)
            guard halves.count == 2 else { return nil }
            let place = halves[0].split(separator: " "), kind = halves[1].split(separator: " ")
            guard place.count >= 5, let type = kind.first else { return nil }
            let (top, path) = (unescaped(place[3]), unescaped(place[4]))
            switch type {
            case "cgroup2": return Mount(top: top, path: path, controllers: nil)
            case "cgroup": return Mount(top: top, path: path, controllers: Set((kind.last ?? "").split(separator: ",").map(String.init)))
            default: return nil
            }
        }
    }

    /// Spaces in paths are written as `\040`.
    private static func unescaped(_ text: Substring) -> String {
        guard text.contains("\\") else { return String(text) }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let first = rest.first {
            let digits = rest.dropFirst().prefix(3)
            if first == UInt8(ascii: "\\"), digits.count == 3, let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8) {
                bytes.append(code)
                rest = rest.dropFirst(4)
            } else {
                bytes.append(first)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func value(_ key: String, in text: String) -> Int? {
        for line in text.split(separator: "\n") where line.hasPrefix(key + " ") {
            return Int(line.dropFirst(key.utf8.count + 1))
        }
        return nil
    }
}

private func word(_ index: Int, of path: String) -> String {
    let words = kernelFile(path).split { $0 == " " || $0 == "\n" }
    return index < words.count ? String(words[index]) : ""
}

/// A file of the kernel, at most a mebibyte of it; empty where it cannot be read. Such files have no size, so they are
/// read to their end.
package func kernelFile(_ path: String) -> String {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while bytes.count < 1 << 20 {
        let count = unsafe read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { break }
        bytes += buffer.prefix(count)
    }
    return String(decoding: bytes, as: UTF8.self)
}

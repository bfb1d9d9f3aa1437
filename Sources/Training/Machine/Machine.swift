import Files
import Foundation
import Tensors

/// What this machine has and what this process may use of it, as far as Linux tells.
package enum Machine {
    /// "AMD EPYC 9R14", or "unknown".
    package static var processorName: String {
        cpuInformation["model name"] ?? cpuInformation["Hardware"] ?? "unknown"
    }

    /// Names of instruction sets, as the kernel spells them: "avx2", "avx512_bf16".
    package static var processorFeatures: Set<String> {
        Set((cpuInformation["flags"] ?? cpuInformation["Features"] ?? "").split(separator: " ").map(String.init))
    }

    /// The first processor's lines of /proc/cpuinfo.
    private static let cpuInformation: [String: String] = {
        var result: [String: String] = [:]
        for line in text("/proc/cpuinfo").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if parts.count == 2, result[parts[0]] == nil { result[parts[0]] = parts[1] }
        }
        return result
    }()

    /// "node07".
    package static var hostName: String { ProcessInfo.processInfo.hostName.split(separator: ".").first.map(String.init) ?? "unknown" }

    /// Processors that this process may run on, as the kernel writes them: "0-15,32-47".
    package static var allowedProcessors: String {
        for line in text("/proc/self/status").split(separator: "\n") where line.hasPrefix("Cpus_allowed_list:") {
            return line.dropFirst("Cpus_allowed_list:".count).trimmingCharacters(in: .whitespaces)
        }
        return ""
    }

    /// Bytes of memory that could be used now without swapping.
    package static var availableMemory: Int { memoryLine("MemAvailable", in: "/proc/meminfo") ?? 0 }
    package static var totalMemory: Int { memoryLine("MemTotal", in: "/proc/meminfo") ?? 0 }
    /// The most memory that this process has held at a time, in bytes.
    package static var peakMemory: Int { memoryLine("VmHWM", in: "/proc/self/status") ?? 0 }

    private static func memoryLine(_ key: String, in path: String) -> Int? {
        for line in text(path).split(separator: "\n") where line.hasPrefix(key + ":") {
            return line.split(separator: " ").compactMap { Int($0) }.first.map { $0 << 10 }
        }
        return nil
    }

    /// What a container or a service manager allows: nil where there is no limit.
    package struct Limits: Sendable, Equatable {
        /// Bytes.
        package var memory: Int?
        package var processors: Double?
    }

    /// The tightest limits of the control groups around this process.
    package static var limits: Limits {
        var result = Limits()
        for folder in controlGroups {
            if let memory = Int(word(0, of: folder.appendingPath("memory.max"))) {
                result.memory = min(result.memory ?? .max, memory)
            }
            let cpu = folder.appendingPath("cpu.max")
            if let quota = Double(word(0, of: cpu)), let period = Double(word(1, of: cpu)), period > 0 {
                result.processors = min(result.processors ?? .infinity, quota / period)
            }
        }
        // The older interface, whose numbers say "none" by being huge.
        if let memory = Int(word(0, of: "/sys/fs/cgroup/memory/memory.limit_in_bytes")), memory < 1 << 60 {
            result.memory = min(result.memory ?? .max, memory)
        }
        if let quota = Double(word(0, of: "/sys/fs/cgroup/cpu/cpu.cfs_quota_us")), quota > 0,
            let period = Double(word(0, of: "/sys/fs/cgroup/cpu/cpu.cfs_period_us")), period > 0
        {
            result.processors = min(result.processors ?? .infinity, quota / period)
        }
        return result
    }

    /// This process's group and those above it.
    private static var controlGroups: [String] {
        let line = text("/proc/self/cgroup").split(separator: "\n").first { $0.hasPrefix("0::") }
        var path = line.map { String($0.dropFirst(3)) } ?? "/"
        var result = ["/sys/fs/cgroup"]
        while path.utf8.count > 1, path != "/" {
            result.append("/sys/fs/cgroup" + path)
            path = path.parentDirectory
        }
        return result
    }

    private static func word(_ index: Int, of path: String) -> String {
        let words = text(path).split { $0 == " " || $0 == "\n" }
        return index < words.count ? String(words[index]) : ""
    }

    /// Files of the kernel have no size, so they are read to their end.
    private static func text(_ path: String) -> String {
        guard let handle = FileHandle(forReadingAtPath: path), let data = try? handle.read(upToCount: 1 << 20) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }
}

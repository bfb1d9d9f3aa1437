import Files
import Foundation
import Glibc
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
        for line in kernelFile("/proc/cpuinfo").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if parts.count == 2, result[parts[0]] == nil { result[parts[0]] = parts[1] }
        }
        return result
    }()

    /// "node07".
    package static var hostName: String { ProcessInfo.processInfo.hostName.split(separator: ".").first.map(String.init) ?? "unknown" }

    /// Processors that this process may run on, as the kernel writes them: "0-15,32-47".
    package static var allowedProcessors: String {
        for line in kernelFile("/proc/self/status").split(separator: "\n") where line.hasPrefix("Cpus_allowed_list:") {
            return line.dropFirst("Cpus_allowed_list:".count).trimmingCharacters(in: .whitespaces)
        }
        return ""
    }

    /// Bytes of memory that this process could take now without swapping: what the machine has, and what control groups
    /// and the limit on the address space leave.
    package static var availableMemory: Int {
        var available = memoryLine("MemAvailable", in: "/proc/meminfo") ?? 0
        if let left = ControlGroups.here.memoryLeft { available = min(available, left) }
        var limit = rlimit()
        if unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, let bytes = Int(exactly: limit.rlim_cur) {
            available = min(available, max(0, bytes - (memoryLine("VmSize", in: "/proc/self/status") ?? 0)))
        }
        return available
    }
    package static var totalMemory: Int { memoryLine("MemTotal", in: "/proc/meminfo") ?? 0 }
    /// The most memory that this process has held at a time since `resetPeakMemory`, or since its start, in bytes.
    package static var peakMemory: Int { memoryLine("VmHWM", in: "/proc/self/status") ?? 0 }

    /// Makes `peakMemory` begin anew from what is held now, for the next of several runs in one process.
    ///
    /// - Returns: false where the kernel does not allow it, so that the peak stays that of everything so far.
    package static func resetPeakMemory() -> Bool {
        // proc(5): 5 resets the high-water mark of the resident set, and nothing else.
        guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return false }
        return (try? file.write(contentsOf: Data("5".utf8))) != nil
    }

    /// The tightest limits of the control groups around this process.
    package static var limits: ControlGroups { .here }

    private static func memoryLine(_ key: String, in path: String) -> Int? {
        for line in kernelFile(path).split(separator: "\n") where line.hasPrefix(key + ":") {
            return line.split(separator: " ").compactMap { Int($0) }.first.map { $0 << 10 }
        }
        return nil
    }
}

import Files
import Foundation
import VideoData

/// Bounds what this process may take: for those that look at videos nobody vouches for.
package enum WorkerLimits {
    /// What a video may make the decoder ask for.
    package static let addressSpace = 8 << 30
    /// Processor time for one packet. Time that passes otherwise, as in waiting for a disk, does not count.
    package static let packetSeconds = 120.0

    package static func set() {
        limit(RLIMIT_AS, to: addressSpace, whole: true)
        limit(RLIMIT_CORE, to: 0, whole: true)
        extendProcessorTime()
    }

    /// Where the system grants less already, that stays.
    private static func limit(_ resource: some RawRepresentable<UInt32>, to value: Int, whole: Bool) {
        let resource = __rlimit_resource_t(resource.rawValue)
        var limits = rlimit()
        guard unsafe getrlimit(resource, &limits) == 0 else { return }
        limits.rlim_cur = min(rlim_t(value), limits.rlim_max)
        if whole { limits.rlim_max = limits.rlim_cur }
        _ = unsafe setrlimit(resource, &limits)
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// Called after each packet: the next one gets the same time. A decoder that never comes back is ended by SIGXCPU.
    @Sendable package static func extendProcessorTime() {
        limit(RLIMIT_CPU, to: Int(processorSeconds() + packetSeconds) + 1, whole: false)
    }

    /// Limits on videos, for a process with these bounds.
    package static var videoLimits: VideoLimits {
        var limits = VideoLimits()
        limits.onProgress = extendProcessorTime
        return limits
    }

    /// What is to be said of a video: a lack of memory is its own fault where this process had as much as it may ask for.
    package static func verdict(on error: VideoError) -> any ReportableError {
        guard case .file(let fault) = error.problem, case .shortage(.memory) = fault.problem else { return error }
        var limits = rlimit()
        let isOurs = unsafe getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limits) == 0 && Int(clamping: limits.rlim_cur) == addressSpace
        let used = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").first.flatMap { Int($0) } ?? 0
        guard isOurs, used * Int(sysconf(Int32(_SC_PAGESIZE))) > addressSpace / 2 else { return error }
        return VideoError(path: error.path, problem: .tooLarge(what: "GiB of memory and more to decode it", value: addressSpace >> 30, limit: addressSpace >> 30))
    }
}

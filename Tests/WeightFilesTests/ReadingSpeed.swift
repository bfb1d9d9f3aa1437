import Glibc
import Testing
import WeightFiles

/// Reads every tensor of the file that VIFI_PROMPT_MEASURE_WEIGHTS names, and says how long that took.
@Suite struct ReadingSpeed {
    @Test(.enabled(if: getenv("VIFI_PROMPT_MEASURE_WEIGHTS") != nil))
    func wholeFile() throws {
        let path = getenv("VIFI_PROMPT_MEASURE_WEIGHTS").map { String(cString: $0) } ?? ""
        let clock = ContinuousClock()
        for _ in 0..<3 {
            var source: (any WeightSource)?
            let opening = try clock.measure { source = try openWeights(path) }
            var count = 0
            let reading = try clock.measure {
                for tensor in source?.tensors ?? [] where tensor.elementType.isReadableAsFloat {
                    count += try source?.floats(named: tensor.name).count ?? 0
                }
            }
            print("\(path): opened in \(opening), \(count) floats in \(reading)")
        }
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        print("most memory: \(usage.ru_maxrss >> 10) MiB")
    }
}

import ArgumentParser
import Experiments

/// An amount of memory as people write it: 900M, 2G, 1.5GiB; plain numbers are bytes.
struct MemoryAmount: ExpressibleByArgument, Equatable {
    let bytes: Int

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = argument.dropFirst(digits.count).lowercased()
        let factors: [String: Double] = [
            "": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12,
            "kib": 1024, "mib": 1_048_576, "gib": 1_073_741_824,
        ]
        guard let number = Double(digits), let factor = factors[unit], number > 0, number * factor < 1e15 else { return nil }
        bytes = Int(number * factor)
    }
}

/// How much memory a run may take.
struct MemoryOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Most memory that the program may use, such as 2G; what does not fit is recomputed, with the same result.",
            valueName: "amount"))
    var memory: MemoryAmount?

    var bound: MemoryBound { MemoryBound(bytes: memory?.bytes) }
}

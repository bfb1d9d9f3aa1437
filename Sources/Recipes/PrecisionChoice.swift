import Files
import Tensors

/// What `--precision` and `model.precision` take.
package enum PrecisionChoice: String, Sendable, CaseIterable, Codable {
    case fp32, bf16
    /// bfloat16 where it can be had. Results then depend on the machine, which the run's recipe records.
    case auto

    /// The precision to compute in.
    ///
    /// - Parameter note: told what came of it, where that is not the default.
    /// - Throws: `PrecisionError` where bfloat16 was asked for by name and cannot be had: it is not emulated.
    package func resolved(note: (String) -> Void) throws(PrecisionError) -> Precision {
        guard self != .fp32 else { return .float32 }
        if let obstacle = Precision.bfloat16.obstacle {
            let error = PrecisionError(obstacle: obstacle)
            guard self == .auto else { throw error }
            note("Products in float32: \(error.reason)")
            return .float32
        }
        note("Products in bfloat16 (oneDNN \(Precision.oneDNNVersion ?? "")); sums, norms and what is learned in float32.")
        return .bfloat16
    }
}

extension PrecisionChoice {
    package init(_ precision: Precision) {
        self = switch precision {
        case .float32: .fp32
        case .bfloat16: .bf16
        }
    }
}

/// bfloat16 was asked for where it cannot be had.
package struct PrecisionError: ReportableError {
    package let obstacle: Precision.Obstacle

    package var exitStatus: ExitStatus { .badConfiguration }

    package var reason: String {
        switch obstacle {
        case .notBuilt: "this program was built without oneDNN."
        case .processor: "this processor lacks AVX512_BF16."
        case .threads: "this oneDNN runs threads of its own (TBB) that cannot be turned off."
        case .library: "oneDNN does not start, or is not the version that this program was built with."
        }
    }

    private var remedy: String {
        switch obstacle {
        case .notBuilt: "Install libdnnl-dev, run `swift package purge-cache` and build again, or leave bf16 out."
        case .processor:
            "It is in Intel's Cooper Lake and Sapphire Rapids, AMD's Zen 4 and their successors. "
                + "Leave bf16 out: float32 gives the same accuracy, slower."
        case .threads: "Build with Debian's libdnnl-dev, or a oneDNN with OpenMP or without threads, or leave bf16 out."
        case .library: "Install matching libdnnl2 and libdnnl-dev and build again, or leave bf16 out."
        }
    }

    package var description: String { "--precision bf16 is not possible: \(reason) \(remedy)" }
}

import Files
import Tensors

/// What `--precision` and `model.precision` take.
package enum PrecisionChoice: String, Sendable, CaseIterable, Codable {
    case fp32, bf16, int8
    /// bfloat16 where it can be had. Results then depend on the machine, which the run's recipe records.
    case auto

    /// The precision to compute in.
    ///
    /// - Parameter note: told what came of it, where that is not the default.
    /// - Throws: `PrecisionError` where a precision was asked for by name and cannot be had: none is emulated.
    package func resolved(note: (PrecisionNote) -> Void) throws(PrecisionError) -> Precision {
        switch self {
        case .fp32: return .float32
        case .bf16, .auto:
            if let obstacle = Precision.bfloat16.obstacle {
                let error = PrecisionError.unavailable(.bfloat16, obstacle)
                guard self == .auto else { throw error }
                note(.float32(instead: error))
                return .float32
            }
            note(.bfloat16)
            return .bfloat16
        case .int8:
            if let obstacle = Precision.int8.obstacle { throw .unavailable(.int8, obstacle) }
            note(.int8)
            return .int8
        }
    }

    /// For repeating on any machine what was computed in bfloat16 or int8: the same where it can be had; elsewhere
    /// float32 has to do, which `auto` says then.
    package var wherePossible: PrecisionChoice {
        switch self {
        case .fp32: .fp32
        case .bf16, .auto: .auto
        case .int8: Precision.int8.isAvailable ? .int8 : .auto
        }
    }
}

extension PrecisionChoice {
    package init(_ precision: Precision) {
        self = switch precision {
        case .float32: .fp32
        case .bfloat16: .bf16
        case .int8: .int8
        }
    }
}

extension Precision {
    /// - Parameter purpose: what needs gradients, as a subject: "learning prompts".
    /// - Throws: `PrecisionError` where gradients cannot be computed in this precision.
    package func requireGradients(for purpose: String) throws(PrecisionError) {
        if !hasBackward { throw .noGradients(purpose: purpose) }
    }
}

/// What came of a choice that is not the default.
package enum PrecisionNote: Sendable, Equatable, CustomStringConvertible {
    /// With `auto`.
    case float32(instead: PrecisionError)
    case bfloat16, int8

    package var description: String {
        switch self {
        case .float32(let error): "Products in float32: \(error.reason)"
        case .bfloat16: "Products in bfloat16 (oneDNN \(Precision.oneDNNVersion ?? "")); sums, norms and what is learned in float32."
        case .int8:
            "The vision tower's products in int8 (oneDNN \(Precision.oneDNNVersion ?? "")); attention and texts in "
                + "\(Precision.int8.besideProducts == .bfloat16 ? "bfloat16" : "float32"), sums of what passes on and norms in float32."
        }
    }
}

/// A precision was asked for that cannot be had, or not for this.
package enum PrecisionError: ReportableError, Equatable {
    case unavailable(Precision, Precision.Obstacle)
    case noGradients(purpose: String)

    package var exitStatus: ExitStatus { .badConfiguration }

    package var reason: String {
        switch self {
        case .unavailable(let precision, let obstacle):
            switch obstacle {
            case .notBuilt: "this program was built without oneDNN."
            case .processor: "this processor lacks \(precision == .int8 ? "AVX512_VNNI" : "AVX512_BF16")."
            case .threads: "this oneDNN runs threads of its own (TBB) that cannot be turned off."
            case .library: "oneDNN does not start, or is not the version that this program was built with."
            }
        case .noGradients(let purpose): "\(purpose) needs gradients, and int8 is for the way forward alone."
        }
    }

    private var name: String {
        switch self {
        case .unavailable(let precision, _): PrecisionChoice(precision).rawValue
        case .noGradients: PrecisionChoice.int8.rawValue
        }
    }

    private var remedy: String {
        switch self {
        case .unavailable(let precision, let obstacle):
            switch obstacle {
            case .notBuilt: "Install libdnnl-dev, run `swift package purge-cache` and build again, or leave \(name) out."
            case .processor:
                "It is in Intel's \(precision == .int8 ? "Cascade Lake, Ice Lake" : "Cooper Lake") and Sapphire Rapids, AMD's Zen 4 and "
                    + "their successors. Leave \(name) out: float32 gives the same accuracy, slower."
            case .threads: "Build with Debian's libdnnl-dev, or a oneDNN with OpenMP or without threads, or leave \(name) out."
            case .library: "Install matching libdnnl2 and libdnnl-dev and build again, or leave \(name) out."
            }
        case .noGradients: "Use bf16 or fp32 here; int8 serves `predict`, `evaluate` and `learn --method`."
        }
    }

    package var description: String { "--precision \(name) is not possible: \(reason) \(remedy)" }
}

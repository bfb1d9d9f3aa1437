import COneDNN

/// The numbers that the factors of large products are rounded to. Sums, results and everything elementwise
/// are float32 either way. Raw values are the names that flags and recipes use.
package enum Precision: String, Sendable, CaseIterable {
    case float32 = "fp32"
    /// The upper half of a float32: its range, and 8 significant bits.
    case bfloat16 = "bf16"
}

extension Precision {
    /// Bytes of a number.
    package var byteCount: Int { self == .float32 ? 4 : 2 }

    /// Why a precision cannot be had here.
    package enum Obstacle: Sendable, Equatable {
        /// This program was built without oneDNN.
        case notBuilt
        /// The processor has no AVX512_BF16.
        case processor
        /// This build of oneDNN starts threads that a caller cannot turn off.
        case threads
        /// oneDNN does not start, or is another version than the one built against.
        case library
    }

    /// What is in the way of computing in this precision; nil where nothing is.
    package var obstacle: Obstacle? {
        guard self == .bfloat16 else { return nil }
        return switch vifi_bf16_state() {
        case VIFI_BF16_READY: nil
        case VIFI_BF16_NOT_BUILT: .notBuilt
        case VIFI_BF16_NO_PROCESSOR: .processor
        case VIFI_BF16_OTHER_THREADS: .threads
        default: .library
        }
    }

    package var isAvailable: Bool { obstacle == nil }

    /// "2.6.3"; nil where the program was built without oneDNN.
    package static var oneDNNVersion: String? {
        let version = unsafe String(cString: vifi_bf16_version())
        return version.isEmpty ? nil : version
    }
}

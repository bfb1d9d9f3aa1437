import COneDNN

/// The numbers that the factors of large products are rounded to. Sums, results and everything elementwise
/// are float32 either way. Raw values are the names that flags and recipes use.
package enum Precision: String, Sendable, CaseIterable {
    case float32 = "fp32"
    /// The upper half of a float32: its range, and 8 significant bits.
    case bfloat16 = "bf16"
    /// Whole numbers from -127 to 127, with a scale for each row of activations and each output of a weight. For
    /// products with frozen weights alone: nothing is computed on the way back.
    case int8
}

extension Precision {
    /// Bytes of a number.
    package var byteCount: Int {
        switch self {
        case .float32: 4
        case .bfloat16: 2
        case .int8: 1
        }
    }

    /// Whether gradients can be computed in it.
    package var hasBackward: Bool { self != .int8 }

    /// The numbers of what is computed beside products with weights in this precision: attention, rows between
    /// products, and the text tower, which runs once for all clips. Beside int8 it is bfloat16 where that can be had.
    package var besideProducts: Precision {
        guard self == .int8 else { return self }
        return Precision.bfloat16.isAvailable ? .bfloat16 : .float32
    }

    /// Why a precision cannot be had here.
    package enum Obstacle: Sendable, Equatable {
        /// This program was built without oneDNN.
        case notBuilt
        /// The processor lacks an instruction: AVX512_BF16 or AVX512_VNNI.
        case processor
        /// This build of oneDNN starts threads that a caller cannot turn off.
        case threads
        /// oneDNN does not start, or is another version than the one built against.
        case library
    }

    /// What is in the way of computing in this precision; nil where nothing is.
    package var obstacle: Obstacle? {
        let numbers: vifi_numbers
        switch self {
        case .float32: return nil
        case .bfloat16: numbers = VIFI_BF16
        case .int8: numbers = VIFI_INT8
        }
        return switch vifi_onednn_state(numbers) {
        case VIFI_ONEDNN_READY: nil
        case VIFI_ONEDNN_NOT_BUILT: .notBuilt
        case VIFI_ONEDNN_NO_PROCESSOR: .processor
        case VIFI_ONEDNN_OTHER_THREADS: .threads
        default: .library
        }
    }

    package var isAvailable: Bool { obstacle == nil }

    /// "2.6.3"; nil where the program was built without oneDNN.
    package static var oneDNNVersion: String? {
        let version = unsafe String(cString: vifi_onednn_version())
        return version.isEmpty ? nil : version
    }
}

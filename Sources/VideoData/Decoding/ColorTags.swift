import CFFmpeg

/// What a stream or a picture says about the meaning of its samples.
struct ColorTags: Equatable {
    var primaries = AVCOL_PRI_UNSPECIFIED
    var transfer = AVCOL_TRC_UNSPECIFIED
    var matrix = AVCOL_SPC_UNSPECIFIED
    var range = AVCOL_RANGE_UNSPECIFIED

    init() {}

    init(_ frame: UnsafeMutablePointer<AVFrame>) {
        primaries = unsafe frame.pointee.color_primaries
        transfer = unsafe frame.pointee.color_trc
        matrix = unsafe frame.pointee.colorspace
        range = unsafe frame.pointee.color_range
    }

    init(_ parameters: UnsafePointer<AVCodecParameters>) {
        primaries = unsafe parameters.pointee.color_primaries
        transfer = unsafe parameters.pointee.color_trc
        matrix = unsafe parameters.pointee.color_space
        range = unsafe parameters.pointee.color_range
    }

    /// These tags, with what they leave open taken from `others`.
    func completed(from others: ColorTags) -> ColorTags {
        var result = self
        if primaries == AVCOL_PRI_UNSPECIFIED { result.primaries = others.primaries }
        if transfer == AVCOL_TRC_UNSPECIFIED { result.transfer = others.transfer }
        if matrix == AVCOL_SPC_UNSPECIFIED { result.matrix = others.matrix }
        if range == AVCOL_RANGE_UNSPECIFIED { result.range = others.range }
        return result
    }

    /// FFmpeg's name of the transfer characteristics, for example `bt709`; nil where the file names none.
    var transferName: String? {
        guard transfer != AVCOL_TRC_UNSPECIFIED else { return nil }
        return unsafe av_color_transfer_name(transfer).map { unsafe String(cString: $0) }
    }

    var dynamicRange: HighDynamicRange? { HighDynamicRange(transfer) }
}

/// The two ways in which samples say more than white. Source: ITU-R BT.2100.
package enum HighDynamicRange: String, Sendable, Equatable, Codable {
    /// Perceptual quantization, SMPTE ST 2084: absolute luminance up to 10,000 cd/m².
    case pq = "PQ"
    /// Hybrid log-gamma, ARIB STD-B67: relative luminance, on a display of 1,000 cd/m².
    case hlg = "HLG"

    init?(_ transfer: AVColorTransferCharacteristic) {
        switch transfer {
        case AVCOL_TRC_SMPTE2084: self = .pq
        case AVCOL_TRC_ARIB_STD_B67: self = .hlg
        default: return nil
        }
    }
}

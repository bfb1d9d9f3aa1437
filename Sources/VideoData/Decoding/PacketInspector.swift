import CFFmpeg

/// What a compressed packet shows of itself without being decoded.
struct PacketTraits: Equatable {
    /// Decoding can begin here with the same pictures as from the start of the stream.
    var isEntryPoint: Bool
    /// Carries parameter sets, which later packets depend on.
    var hasParameterSets = false
    /// Decodes to a picture of its own. VP8 has packets that only prepare others.
    var isShown = true
}

/// Reads just enough of a codec's syntax to know where decoding can begin.
///
/// A container's key-frame mark is not enough: for H.264 it is also set on pictures whose successors
/// refer to what came before them (recovery points, open groups of pictures).
struct PacketInspector {
    enum Syntax: Equatable {
        case h264, hevc, vp8
        /// Key frames as marked start afresh: VP9, AV1 and codecs without prediction over time.
        case markedKeyFrames
        /// Unknown: begin at the first packet only.
        case opaque
    }

    let syntax: Syntax
    /// Bytes of a unit's length field; nil where units are separated by start codes (Annex B).
    let lengthByteCount: Int?

    init(codec: AVCodecID, isIntraOnly: Bool, configuration: [UInt8]) {
        switch codec {
        case AV_CODEC_ID_H264:
            syntax = .h264
            lengthByteCount = configuration.count > 6 && configuration[0] == 1 ? Int(configuration[4] & 3) + 1 : nil
        case AV_CODEC_ID_HEVC:
            syntax = .hevc
            lengthByteCount = configuration.count > 22 && configuration[0] == 1 ? Int(configuration[21] & 3) + 1 : nil
        case AV_CODEC_ID_VP8:
            syntax = .vp8
            lengthByteCount = nil
        default:
            let isKnown = isIntraOnly || codec == AV_CODEC_ID_VP9 || codec == AV_CODEC_ID_AV1
            syntax = isKnown ? .markedKeyFrames : .opaque
            lengthByteCount = nil
        }
    }

    /// One packet is one picture, in well-formed files: always so with length-prefixed units, while a
    /// transport stream may split an interlaced picture over two packets.
    var isPacketPerPicture: Bool {
        switch syntax {
        case .h264, .hevc: lengthByteCount != nil
        case .vp8, .markedKeyFrames: true
        case .opaque: false
        }
    }

    func traits(of bytes: Span<UInt8>, isMarkedKey: Bool) -> PacketTraits {
        switch syntax {
        case .h264:
            var traits = PacketTraits(isEntryPoint: false)
            forEachUnitType(in: bytes) { header in
                let type = header & 0x1f
                if type == 5 { traits.isEntryPoint = true }
                if type == 7 || type == 8 { traits.hasParameterSets = true }
            }
            return traits
        case .hevc:
            var traits = PacketTraits(isEntryPoint: false)
            forEachUnitType(in: bytes) { header in
                let type = header >> 1 & 0x3f
                if (16...21).contains(type) { traits.isEntryPoint = true }
                if (32...34).contains(type) { traits.hasParameterSets = true }
            }
            return traits
        case .vp8:
            // RFC 6386, 9.1: bit 0 is clear in a key frame, bit 4 set in a frame that is shown.
            guard bytes.count > 0 else { return PacketTraits(isEntryPoint: false, isShown: false) }
            return PacketTraits(isEntryPoint: bytes[0] & 1 == 0, isShown: bytes[0] & 0x10 != 0)
        case .markedKeyFrames:
            return PacketTraits(isEntryPoint: isMarkedKey)
        case .opaque:
            return PacketTraits(isEntryPoint: false)
        }
    }

    /// Calls `body` with the first byte of each network abstraction layer unit.
    private func forEachUnitType(in bytes: Span<UInt8>, _ body: (UInt8) -> Void) {
        var offset = 0
        if let lengthByteCount {
            while offset + lengthByteCount < bytes.count {
                var length = 0
                for index in 0..<lengthByteCount { length = length << 8 | Int(bytes[offset + index]) }
                body(bytes[offset + lengthByteCount])
                offset += lengthByteCount + length
            }
        } else {
            while offset + 3 < bytes.count {
                if bytes[offset] == 0 && bytes[offset + 1] == 0 && bytes[offset + 2] == 1 {
                    body(bytes[offset + 3])
                    offset += 3
                } else {
                    offset += 1
                }
            }
        }
    }
}

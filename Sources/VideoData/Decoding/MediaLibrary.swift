import CFFmpeg
import CZimg

/// What FFmpeg's libraries offer here.
package enum MediaLibrary {
    /// "59.37.100", of libavcodec.
    package static var codecVersion: String { version(avcodec_version()) }
    /// Of libavformat.
    package static var formatVersion: String { version(avformat_version()) }

    /// "3.0.4", of the library that converts high dynamic range.
    package static var zimgVersion: String {
        var (major, minor, patch): (UInt32, UInt32, UInt32) = (0, 0, 0)
        unsafe zimg_get_version_info(&major, &minor, &patch)
        return "\(major).\(minor).\(patch)"
    }

    /// Kinds of video that people have, and whether something here decodes them.
    package static var decoders: [(name: String, isPresent: Bool)] {
        let codecs: [(String, AVCodecID)] = [
            ("h264", AV_CODEC_ID_H264), ("hevc", AV_CODEC_ID_HEVC), ("mpeg4", AV_CODEC_ID_MPEG4), ("vp9", AV_CODEC_ID_VP9),
            ("av1", AV_CODEC_ID_AV1),
        ]
        return codecs.map { (name: $0.0, isPresent: unsafe avcodec_find_decoder($0.1) != nil) }
    }

    private static func version(_ number: UInt32) -> String { "\(number >> 16).\(number >> 8 & 0xFF).\(number & 0xFF)" }
}

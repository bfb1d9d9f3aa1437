import CFFmpeg

/// Which video stream of a container is read.
///
/// Of those that move, the one that the `ffmpeg` program takes: the largest, one marked as default first. A track with a
/// still picture, or with a few where another track has a video's worth, is not the video, however large.
@safe struct StreamChoice {
    let index: Int
    /// Packets were read to find out; the container has to be opened again.
    private(set) var hasReadPackets = false

    private struct Candidate {
        let index: Int
        let score: Int
        /// As the container says; 0 where it does not.
        var pictureCount: Int
    }

    /// A track with less than this share of another's pictures shows stills.
    private static let stillShare = 10
    /// Packets of video that are looked at where no header counts the pictures.
    private static let countedPackets = 64

    /// - Parameter encryptedStreams: identifiers that the container calls encrypted, with the scheme.
    init(
        _ context: UnsafeMutablePointer<AVFormatContext>, source: MediaSource, encryptedStreams: [Int: String]
    ) throws(VideoError) {
        var candidates: [Candidate] = []
        var problem = VideoError.Problem.noVideoStream
        let stillPictures = AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS
        var scheme: String?
        for index in 0..<Int(unsafe context.pointee.nb_streams) {
            guard let stream = unsafe context.pointee.streams[index],
                let parameters = unsafe stream.pointee.codecpar
            else { continue }
            let disposition = unsafe stream.pointee.disposition
            switch unsafe parameters.pointee.codec_type {
            case AVMEDIA_TYPE_AUDIO:
                if problem == .noVideoStream { problem = .onlySound }
            case AVMEDIA_TYPE_VIDEO where disposition & stillPictures != 0:
                problem = .onlyCoverArt
            case AVMEDIA_TYPE_VIDEO:
                if let found = unsafe encryptedStreams[Int(stream.pointee.id)] {
                    scheme = found
                    continue
                }
                let pixelCount = Int(unsafe parameters.pointee.width) * Int(unsafe parameters.pointee.height)
                let score = pixelCount + (disposition & AV_DISPOSITION_DEFAULT != 0 ? 5_000_000 : 0)
                candidates.append(Candidate(index: index, score: score, pictureCount: Int(unsafe stream.pointee.nb_frames)))
            default:
                break
            }
        }
        if candidates.count > 1 {
            if candidates.contains(where: { $0.pictureCount <= 0 }) {
                hasReadPackets = true
                unsafe Self.count(&candidates, in: context)
            }
            let most = candidates.map(\.pictureCount).max() ?? 0
            candidates.removeAll { $0.pictureCount < most && ($0.pictureCount <= 1 || $0.pictureCount * Self.stillShare <= most) }
        }
        // The first of several equal ones.
        guard let best = candidates.max(by: { ($0.score, -$0.index) < ($1.score, -$1.index) }) else {
            throw VideoError(path: source.path, problem: scheme.map { .encrypted(scheme: $0) } ?? problem)
        }
        index = best.index
        if let profile = unsafe Self.dolbyVisionProfile(context, best.index) {
            throw VideoError(path: source.path, problem: .dolbyVision(profile: profile))
        }
    }

    /// Counts the pictures in the first packets.
    private static func count(_ candidates: inout [Candidate], in context: UnsafeMutablePointer<AVFormatContext>) {
        var owned = unsafe av_packet_alloc()
        defer { unsafe av_packet_free(&owned) }
        guard let packet = unsafe owned else { return }
        var counts: [Int: Int] = [:]
        var left = countedPackets
        // Sound and the like count, too, so that there is an end.
        for _ in 0..<countedPackets * 100 where left > 0 {
            guard unsafe av_read_frame(context, packet) >= 0 else { break }
            let index = Int(unsafe packet.pointee.stream_index)
            if candidates.contains(where: { $0.index == index }) {
                counts[index, default: 0] += 1
                left -= 1
            }
            unsafe av_packet_unref(packet)
        }
        for index in candidates.indices { candidates[index].pictureCount = counts[candidates[index].index] ?? 0 }
    }

    /// The profile of a stream in Dolby Vision whose base layer means nothing without the enhancement.
    ///
    /// Source: Dolby Vision Streams Within the ISO Base Media File Format, 2.4: the base layer's compatibility. Profiles 2,
    /// 4, 6 and 7 are compatible by definition.
    static func dolbyVisionProfile(_ context: UnsafeMutablePointer<AVFormatContext>, _ index: Int) -> Int? {
        guard let stream = unsafe context.pointee.streams[index], let record = unsafe vifi_dolby_vision(stream) else { return nil }
        let profile = Int(unsafe record.pointee.dv_profile)
        let isCompatible = unsafe profile != 5 && (record.pointee.dv_bl_signal_compatibility_id != 0 || [2, 4, 6, 7].contains(profile))
        return isCompatible ? nil : profile
    }
}

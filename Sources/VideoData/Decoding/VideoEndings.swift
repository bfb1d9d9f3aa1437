import CFFmpeg

/// Endings of names that tell a video, as FFmpeg knows them.
package enum VideoEndings {
    /// In lower case, without the dot: those of every container that is read, but for what is sound or one picture.
    package static let all: Set<String> = {
        var endings: Set<String> = []
        var state: UnsafeMutableRawPointer?
        while let format = unsafe av_demuxer_iterate(&state) {
            guard unsafe isRead(format.pointee.name) else { continue }
            unsafe endings.formUnion(list(format.pointee.extensions))
        }
        // Many demuxers know a file by its bytes alone; then the muxer of the same container has the endings.
        unsafe state = nil
        while let format = unsafe av_muxer_iterate(&state) {
            let isVideo = unsafe format.pointee.video_codec != AV_CODEC_ID_NONE
            guard isVideo, unsafe isRead(format.pointee.name) || muxers.contains(String(cString: format.pointee.name)) else { continue }
            unsafe endings.formUnion(list(format.pointee.extensions))
        }
        return endings.subtracting(soundOrPicture).union(cameras)
    }()

    package static func isVideo(_ name: String) -> Bool { name.pathEnding.map(all.contains) ?? false }

    /// Whether a name ends as videos do and is not a hidden one, such as those that macOS puts beside its files.
    package static func isShownVideo(_ name: String) -> Bool { !name.isHiddenName && isVideo(name) }

    private static func isRead(_ names: UnsafePointer<CChar>?) -> Bool {
        guard let names = unsafe names else { return false }
        return unsafe String(cString: names).split(separator: ",").contains { Demuxer.acceptedContainers.contains(String($0)) }
    }

    private static func list(_ endings: UnsafePointer<CChar>?) -> [String] {
        guard let endings = unsafe endings else { return [] }
        return unsafe String(cString: endings).split(separator: ",").map { $0.lowercased() }
    }

    /// Muxers whose files are read by a demuxer of another name.
    private static let muxers: Set<String> = [
        "vob", "dvd", "svcd", "vcd", "mpeg1video", "mpeg2video", "ogv", "asf_stream", "ipod", "psp", "f4v", "ismv", "mp4", "webm", "obu",
    ]
    private static let soundOrPicture: Set<String> = [
        "m4a", "m4b", "isma", "mka", "mks", "wma", "ogg", "oga", "opus", "spx", "avif", "heic", "heif", "obu", "264", "265", "avc", "h26l",
    ]
    /// What recorders call MPEG streams, AVI and MP4.
    private static let cameras: Set<String> = ["divx", "m2p", "m2t", "m2v", "mod", "mpe", "mpv", "mts", "qt", "tod", "trp", "tts", "xvid"]
}

import CFFmpeg

/// A video file, opened for reading single frames by number.
///
/// Frames are counted from 0 in the order in which a decoder puts them out, which is that of
/// `ffmpeg -i FILE -vsync passthrough`; time stamps play no part in it. Nothing but the named file is
/// opened, and `VideoLimits` bounds what it may cost.
///
///     var video = try VideoFile(path: "clip.mp4")
///     let frames = try video.frames(at: [0, video.frameCount / 2, video.frameCount - 1])
@safe package struct VideoFile: ~Copyable {
    package let path: String
    package let info: VideoInfo

    private let store: PacketStore
    private let limits: VideoLimits
    private let threadCount: Int
    private let headerWarnings: [VideoWarning]
    /// See `HeaderClaims.streamEndSeconds`.
    private let declaredEnd: Double?
    private var index: FrameIndex
    private let indexes: FrameIndexes?
    private var cursor: FrameCursor
    private var isFresh = true
    private var converter: FrameConverter
    private var repeatedFrames: Set<Int> = []
    private var damagedPackets: Set<Int> = []
    private var otherSizes: [VideoWarning] = []

    /// Opens a file, counts its frames and decodes the first.
    ///
    /// - Parameters:
    ///   - pictures: what the file says about its pictures and is followed.
    ///   - threadCount: of the codec. More than one is for files that are known to be sound: several threads make other
    ///     pictures of damage, and do not always tell of it.
    ///   - indexes: of files that were opened before; then this one is not read as a whole again.
    /// - Throws: `VideoError`, naming the file, if no frame of it can be decoded.
    package init(
        path: String, pictures: PictureRules = PictureRules(), threadCount: Int = 1, limits: VideoLimits = VideoLimits(),
        indexes: FrameIndexes? = nil
    ) throws(VideoError) {
        let source = try MediaSource(path: path, limits: limits)
        let (store, claims, index) = try VideoFile.open(source, threadCount: threadCount, limits: limits, indexes: indexes)
        let order = index.order
        let threadCount = index.isSound ? threadCount : 1
        source.beginWork()
        let cursor = try VideoFile.cursorAtStart(
            of: store, order: order, threadCount: threadCount, limits: limits, neverJumps: !index.isSound)
        guard cursor.isAtFrame else {
            let problem = try VideoFile.isIncomplete(source)
                ? VideoError.Problem.incompleteDownload(byteCount: source.byteCount)
                : .nothingDecodes(packetCount: store.count, declaredFrameCount: claims.frameCount)
            throw VideoError(path: path, problem: problem)
        }
        let width = Int(unsafe cursor.selected.pointee.width)
        let height = Int(unsafe cursor.selected.pointee.height)
        var checked = CheckedClaims(claims)
        let turned = pictures.appliesRotation ? checked.orientation : .upright
        let crop = try pictures.crop(of: FrameSize(width: width, height: height), turnedBy: checked.orientation, path: path)
        // The header counts packets. A sound packet need not make a frame: those outside the edit list do not, nor those
        // that stand for "the same picture".
        if claims.frameCount > store.facts.count(where: { !$0.isDamaged }) {
            checked.warnings.append(.fewerFramesThanDeclared(declared: claims.frameCount, found: order.frameCount))
        }
        headerWarnings = checked.warnings + index.damage
        // Tags of the picture itself say more than those of the container.
        let tags = unsafe ColorTags(cursor.selected).completed(from: claims.colorTags)
        info = VideoInfo(
            container: claims.container, codec: claims.codec, pixelFormat: claims.pixelFormat,
            width: turned.swapsAxes ? height : width, height: turned.swapsAxes ? width : height,
            frameCount: order.frameCount, framesPerSecond: checked.framesPerSecond,
            durationSeconds: checked.durationSeconds, quarterTurns: checked.orientation.quarterTurns,
            transfer: tags.transferName, dynamicRange: tags.dynamicRange)
        converter = FrameConverter(
            width: width, height: height, orientation: checked.orientation, tags: claims.colorTags, rules: pictures, crop: crop)
        declaredEnd = claims.streamEndSeconds
        self.path = path
        self.store = store
        self.limits = limits
        self.threadCount = threadCount
        self.index = index
        self.indexes = indexes
        self.cursor = cursor
        damagedPackets = Set(store.facts.indices.filter { store.facts[$0].isDamaged })
    }

    package var frameCount: Int { info.frameCount }

    /// Seconds from the first frame at which each frame begins, as windows count them.
    package var times: [Double] { timing.times }

    /// The last frame is shown as long as the one before it, or until the end that the header names of this stream, where
    /// nothing of it is missing.
    package var timing: FrameTiming {
        var clock = StreamClock(framesPerSecond: info.framesPerSecond, mayBreak: store.mayBreakTimeStamps)
        let packets = index.order.packets
        let times = (0..<frameCount).map { frame in
            let stamp = packets.indices.contains(frame) ? index.facts[packets[frame]].presentationTime : nil
            return clock.time(ofStamp: stamp.map { Double($0) * store.unitSeconds })
        }
        let end = clock.end(lastDuration: nil)
        guard let declaredEnd, declaredEnd <= 1e6, index.isSound else { return FrameTiming(times: times, end: end) }
        let first = index.facts.first?.presentationTime.map { Double($0) * store.unitSeconds } ?? 0
        return FrameTiming(times: times, end: max(end, declaredEnd - max(0, first)))
    }

    /// What is odd about the file, as far as it was noticed up to now. Decoding may add to it.
    package var warnings: [VideoWarning] {
        var result = headerWarnings + otherSizes
        let damaged = damagedPackets.union(cursor.damagedPackets)
        if !damaged.isEmpty { result.append(.damagedFrames(count: damaged.count)) }
        if !repeatedFrames.isEmpty { result.append(.repeatedFrames(indices: repeatedFrames.sorted())) }
        return result
    }

    /// Decodes the frames `indices`, which may repeat and stand in any order, and no more than needed.
    ///
    /// A frame that does not decode shows the last one before it that does; `warnings` then says so.
    /// The same indices give the same pictures, even of a damaged file: each call starts with a new codec, and where
    /// damage turns up on the way, everything is decoded from the first packet on, as a player does.
    ///
    /// - Returns: one frame for each index, all of the same size.
    package mutating func frames(at indices: [Int]) throws(VideoError) -> [VideoFrame] {
        try frames(at: indices) { $0 }
    }

    /// As `frames(at:)`, keeping only what `transform` makes of each frame: for large pictures, of which
    /// a clip's worth would fill the memory.
    ///
    /// - Parameter transform: called for each different index in ascending order; all over again in the
    ///   rare file whose time stamps turn out to be wrong on the way, or that is damaged.
    package mutating func frames<Result>(
        at indices: [Int], transform: (VideoFrame) -> Result
    ) throws(VideoError) -> [Result] {
        for index in indices where !(0..<frameCount).contains(index) {
            throw VideoError(path: path, problem: .noSuchFrame(index: index, frameCount: frameCount))
        }
        let wanted = Set(indices).sorted()
        store.source.beginWork()
        if !isFresh { try renewCursor(for: index.order) }
        isFresh = false
        var results = try self.results(wanted, transform)
        if !cursor.damagedPackets.isEmpty, cursor.hasJumped || threadCount > 1 {
            store.source.beginWork()
            try renewCursor(for: index.order, neverJumps: true)
            results = try self.results(wanted, neverJumps: true, transform)
        }
        return indices.compactMap { results[$0] }
    }

    /// Decodes the frames `wanted`, ascending, in the order of their time stamps or, where that proves to be wrong, in
    /// that of the decoder.
    private mutating func results<Result>(
        _ wanted: [Int], neverJumps: Bool = false, _ transform: (VideoFrame) -> Result
    ) throws(VideoError) -> [Int: Result] {
        if let results = try collect(wanted, in: index.order, transform) { return results }
        let order = try index.correct(by: store, threadCount: threadCount, limits: limits)
        indexes?.keep(index, for: store.source.identity)
        try renewCursor(for: order, neverJumps: neverJumps)
        return try collect(wanted, in: order, transform) ?? [:]
    }

    /// Decodes the frames `wanted`, ascending. Returns nil if they do not come in the order supposed.
    private mutating func collect<Result>(
        _ wanted: [Int], in order: FrameOrder, _ transform: (VideoFrame) -> Result
    ) throws(VideoError) -> [Int: Result]? {
        var results: [Int: Result] = [:]
        var standIns: Set<Int> = []
        for index in wanted {
            switch try cursor.seek(to: index, in: order) {
            case .found: break
            case .standIn: standIns.insert(index)
            case .orderMismatch: return nil
            case .nothing:
                throw VideoError(path: path, problem: .nothingDecodes(packetCount: store.count, declaredFrameCount: 0))
            }
            results[index] = transform(try selectedFrame())
        }
        repeatedFrames.formUnion(standIns)
        return results
    }

    private mutating func selectedFrame() throws(VideoError) -> VideoFrame {
        let picture = unsafe cursor.selected
        noteSize(width: Int(unsafe picture.pointee.width), height: Int(unsafe picture.pointee.height))
        do throws(ConversionFailure) {
            return try unsafe converter.convert(picture)
        } catch {
            throw VideoError(path: path, problem: .cannotConvert(reason: error.reason))
        }
    }

    /// Starts again at the first frame with a new codec.
    private mutating func renewCursor(for order: FrameOrder, neverJumps: Bool = false) throws(VideoError) {
        damagedPackets.formUnion(cursor.damagedPackets)
        cursor = try VideoFile.cursorAtStart(
            of: store, order: order, threadCount: neverJumps ? 1 : threadCount, limits: limits, neverJumps: neverJumps || !index.isSound)
    }

    private mutating func noteSize(width: Int, height: Int) {
        guard width != converter.width || height != converter.height else { return }
        let warning = VideoWarning.sizeChange(width: width, height: height)
        if !otherSizes.contains(warning) { otherSizes.append(warning) }
    }
}

// MARK: - Opening

extension VideoFile {
    private static func open(
        _ source: MediaSource, threadCount: Int, limits: VideoLimits, indexes: FrameIndexes?
    ) throws(VideoError) -> (PacketStore, HeaderClaims, FrameIndex) {
        let firstBytes = try source.firstBytes(FirstBytes.neededCount)
        if let problem = FirstBytes.problem(in: firstBytes) { throw VideoError(path: source.path, problem: problem) }
        do throws(VideoError) {
            let demuxer = try Demuxer(source: source, limits: limits)
            let claims = demuxer.claims
            if let known = indexes?[source.identity] { return (try PacketStore(demuxer: demuxer, facts: known.facts), claims, known) }
            let store = try PacketStore(demuxer: demuxer)
            let index = try FrameIndex(reading: store, claims: claims, threadCount: threadCount, limits: limits)
            indexes?.keep(index, for: source.identity)
            return (store, claims, index)
        } catch {
            throw try diagnosis(of: error, source: source, firstBytes: firstBytes)
        }
    }

    /// A new codec that has decoded the first frame, if there is any.
    private static func cursorAtStart(
        of store: PacketStore, order: FrameOrder, threadCount: Int, limits: VideoLimits, neverJumps: Bool = false
    ) throws(VideoError) -> FrameCursor {
        let decoder = try FrameDecoder(store: store, threadCount: threadCount, limits: limits)
        var cursor = try FrameCursor(decoder: decoder, neverJumps: neverJumps)
        if order.frameCount > 0 { _ = try cursor.seek(to: 0, in: order) }
        return cursor
    }

    /// A better explanation of an error that FFmpeg met in a file's first or last bytes.
    static func diagnosis(
        of error: VideoError, source: MediaSource, firstBytes: [UInt8]
    ) throws(VideoError) -> VideoError {
        guard case .damagedContainer = error.problem else { return error }
        if try isIncomplete(source) {
            return VideoError(path: source.path, problem: .incompleteDownload(byteCount: source.byteCount))
        }
        let problem = FirstBytes.unrecognized(firstBytes)
        return problem == .unknownContainer && isKnownSignature(firstBytes)
            ? error : VideoError(path: source.path, problem: problem)
    }

    static func isIncomplete(_ source: MediaSource) throws(VideoError) -> Bool {
        try FirstBytes.isIncompleteMovie(byteCount: source.byteCount) { offset, count throws(VideoError) in
            try source.bytes(at: offset, count: count)
        }
    }

    /// MP4, Matroska, AVI: then the file is what it claims to be, only broken.
    private static func isKnownSignature(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: [0x1a, 0x45, 0xdf, 0xa3]) || bytes.starts(with: Array("RIFF".utf8))
            || bytes.dropFirst(4).starts(with: Array("ftyp".utf8))
    }
}

/// The believable part of what a header says.
struct CheckedClaims {
    var framesPerSecond: Double?
    var durationSeconds: Double?
    var orientation = Orientation.upright
    var warnings: [VideoWarning] = []

    init(_ claims: HeaderClaims) {
        if let rate = claims.framesPerSecond {
            if rate > 0 && rate <= 1000 {
                framesPerSecond = rate
            } else {
                warnings.append(.absurdRate(framesPerSecond: rate))
            }
        }
        if let duration = claims.durationSeconds {
            // Eleven days.
            if duration >= 0 && duration <= 1e6 {
                durationSeconds = duration
            } else {
                warnings.append(.absurdDuration(seconds: duration))
            }
        }
        if let matrix = claims.displayMatrix {
            do throws(Orientation.MatrixError) {
                orientation = try Orientation(displayMatrix: matrix)
            } catch {
                let radians = unsafe matrix.withUnsafeBufferPointer { unsafe av_display_rotation_get($0.baseAddress) }
                warnings.append(.ignoredRotation(degrees: radians))
            }
        }
    }
}

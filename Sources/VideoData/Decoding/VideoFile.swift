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
    private let order: FrameOrder
    /// The order found by decoding everything, once time stamps proved to be wrong.
    private var decodedOrder: FrameOrder?
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
    ///   - threadCount: of the codec; 1 where many files are read at once.
    /// - Throws: `VideoError`, naming the file, if no frame of it can be decoded.
    package init(
        path: String, pictures: PictureRules = PictureRules(), threadCount: Int = 1, limits: VideoLimits = VideoLimits()
    ) throws(VideoError) {
        let source = try MediaSource(path: path, limits: limits)
        let (store, claims) = try VideoFile.readPackets(of: source, limits: limits)
        let order = try VideoFile.order(
            of: store, reordersFrames: claims.reordersFrames, threadCount: threadCount, limits: limits)
        let cursor = try VideoFile.cursorAtStart(of: store, order: order, threadCount: threadCount, limits: limits)
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
        let declaredCount = claims.frameCount - store.facts.count { $0.isDiscarded }
        if declaredCount > order.frameCount {
            checked.warnings.append(.fewerFramesThanDeclared(declared: declaredCount, found: order.frameCount))
        }
        headerWarnings = checked.warnings
        // Tags of the picture itself say more than those of the container.
        let tags = unsafe ColorTags(cursor.selected).completed(from: claims.colorTags)
        info = VideoInfo(
            container: claims.container, codec: claims.codec, pixelFormat: claims.pixelFormat,
            width: turned.swapsAxes ? height : width, height: turned.swapsAxes ? width : height,
            frameCount: order.frameCount, framesPerSecond: checked.framesPerSecond,
            durationSeconds: checked.durationSeconds, quarterTurns: checked.orientation.quarterTurns,
            transfer: tags.transferName, dynamicRange: tags.dynamicRange)
        converter = FrameConverter(
            width: width, height: height, orientation: checked.orientation, tags: claims.colorTags, rules: pictures)
        self.path = path
        self.store = store
        self.limits = limits
        self.threadCount = threadCount
        self.order = order
        self.cursor = cursor
    }

    package var frameCount: Int { info.frameCount }

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
    /// The same indices give the same pictures, even of a damaged file: each call starts with a new
    /// codec. So ask for all the frames of a clip at once.
    ///
    /// - Returns: one frame for each index, all of the same size.
    package mutating func frames(at indices: [Int]) throws(VideoError) -> [VideoFrame] {
        try frames(at: indices) { $0 }
    }

    /// As `frames(at:)`, keeping only what `transform` makes of each frame: for large pictures, of which
    /// a clip's worth would fill the memory.
    ///
    /// - Parameter transform: called for each different index in ascending order; all over again in the
    ///   rare file whose time stamps turn out to be wrong on the way.
    package mutating func frames<Result>(
        at indices: [Int], transform: (VideoFrame) -> Result
    ) throws(VideoError) -> [Result] {
        store.source.deadline = Deadline(seconds: limits.seconds)
        for index in indices where !(0..<frameCount).contains(index) {
            throw VideoError(path: path, problem: .noSuchFrame(index: index, frameCount: frameCount))
        }
        let wanted = Set(indices).sorted()
        if !isFresh { try renewCursor(for: order) }
        isFresh = false
        var results = try collect(wanted, in: order, transform)
        if results == nil {
            let trueOrder: FrameOrder
            if let decodedOrder {
                trueOrder = decodedOrder
            } else {
                trueOrder = try VideoFile.decodedOrder(of: store, threadCount: threadCount, limits: limits)
                decodedOrder = trueOrder
            }
            try renewCursor(for: trueOrder)
            results = try collect(wanted, in: trueOrder, transform)
        }
        return indices.compactMap { results?[$0] }
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
    private mutating func renewCursor(for order: FrameOrder) throws(VideoError) {
        damagedPackets.formUnion(cursor.damagedPackets)
        cursor = try VideoFile.cursorAtStart(of: store, order: order, threadCount: threadCount, limits: limits)
    }

    private mutating func noteSize(width: Int, height: Int) {
        guard width != converter.width || height != converter.height else { return }
        let warning = VideoWarning.sizeChange(width: width, height: height)
        if !otherSizes.contains(warning) { otherSizes.append(warning) }
    }
}

// MARK: - Opening

extension VideoFile {
    private static func readPackets(
        of source: MediaSource, limits: VideoLimits
    ) throws(VideoError) -> (PacketStore, HeaderClaims) {
        let firstBytes = try source.firstBytes(FirstBytes.neededCount)
        if let problem = FirstBytes.problem(in: firstBytes) { throw VideoError(path: source.path, problem: problem) }
        do throws(VideoError) {
            let demuxer = try Demuxer(source: source, limits: limits)
            let claims = demuxer.claims
            return (try PacketStore(demuxer: demuxer, limits: limits), claims)
        } catch {
            throw try diagnosis(of: error, source: source, firstBytes: firstBytes)
        }
    }

    /// The order of the frames: from the time stamps where they can be trusted, else by decoding.
    private static func order(
        of store: PacketStore, reordersFrames: Bool, threadCount: Int, limits: VideoLimits
    ) throws(VideoError) -> FrameOrder {
        if store.inspector.isPacketPerPicture,
            let order = FrameOrder(sorting: store.facts, reordersFrames: reordersFrames)
        {
            return order
        }
        return try decodedOrder(of: store, threadCount: threadCount, limits: limits)
    }

    private static func decodedOrder(
        of store: PacketStore, threadCount: Int, limits: VideoLimits
    ) throws(VideoError) -> FrameOrder {
        var decoder = try FrameDecoder(store: store, threadCount: threadCount, limits: limits)
        var packets: [Int] = []
        while let packet = try decoder.next() { packets.append(packet) }
        return FrameOrder(decoded: packets, facts: store.facts)
    }

    /// A new codec that has decoded the first frame, if there is any.
    private static func cursorAtStart(
        of store: PacketStore, order: FrameOrder, threadCount: Int, limits: VideoLimits
    ) throws(VideoError) -> FrameCursor {
        let decoder = try FrameDecoder(store: store, threadCount: threadCount, limits: limits)
        var cursor = try FrameCursor(decoder: decoder)
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
        let problem = FirstBytes.unrecognised(firstBytes)
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
            // Eleven days, more than any file of 200,000 packets lasts.
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

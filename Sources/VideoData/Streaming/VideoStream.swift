import CFFmpeg

/// A video read once, forward, keeping two decoded frames: hours of it take no more memory than seconds.
///
/// Where `VideoFile` finds single frames by number, this delivers what is shown at the moments of window grids.
/// Frames that no grid looks at are decoded but not converted. Where grids count frames, frames have the numbers that
/// `VideoFile` gives them, and those that do not decode show the one before them. One thread decodes: several make other
/// pictures of damage, and do not always tell of it.
///
/// Sendable because one thread at a time uses it: the one that prefetches.
@safe package final class VideoStream: VideoStreaming, @unchecked Sendable {
    package let outlook: VideoOutlook
    private let request: VideoStreamRequest
    private let source: MediaSource
    private let limits: VideoLimits
    private var demuxer: Demuxer
    private var decoder: StreamDecoder
    private var converter: FrameConverter?
    private var firstSize: FrameSize?
    private let orientation: Orientation
    private let colorTags: ColorTags
    private let declaredCount: Int
    private var headerWarnings: [VideoWarning]
    private var clock: StreamClock
    /// The frame that is shown until the next one begins.
    private let pending: UnsafeMutablePointer<AVFrame>
    private var pendingPosition: Double?
    private var pendingDuration: Double?
    /// Frames that the decoder has put out.
    private var decodedCount = 0
    /// Number of the frame that comes next.
    private var frameCount = 0
    /// What frames are counted by, where grids count frames.
    private let index: FrameIndex?
    /// For each grid the first moment that no frame has been found for.
    private var nextPoints: [Int]
    private var otherSizes: [VideoWarning] = []
    private var isAtEnd = false

    /// Opens a video; nothing is decoded yet but what is needed to find the streams and, for grids that count frames, to
    /// number these.
    ///
    /// - Throws: `VideoError`, naming the file.
    package init(
        _ request: VideoStreamRequest, limits: VideoLimits = VideoLimits()
    ) throws(VideoError) {
        let source = try MediaSource(path: request.path, limits: limits)
        let firstBytes = try source.firstBytes(FirstBytes.neededCount)
        if let problem = FirstBytes.problem(in: firstBytes) { throw VideoError(path: request.path, problem: problem) }
        let demuxer: Demuxer
        do throws(VideoError) {
            demuxer = try Demuxer(source: source, limits: limits)
        } catch {
            throw try VideoFile.diagnosis(of: error, source: source, firstBytes: firstBytes)
        }
        let claims = demuxer.claims
        let checked = CheckedClaims(claims)
        guard let frame = unsafe av_frame_alloc() else { throw source.error(vifi_error_no_memory()) }
        do throws(VideoError) {
            decoder = try StreamDecoder(demuxer: demuxer, limits: limits)
            index = request.unit == .seconds ? nil : try FrameIndex(of: request.path, limits: limits)
        } catch {
            var unused: UnsafeMutablePointer<AVFrame>? = unsafe frame
            unsafe av_frame_free(&unused)
            throw error
        }
        unsafe pending = frame
        self.request = request
        self.source = source
        self.limits = limits
        clock = StreamClock(framesPerSecond: checked.framesPerSecond, mayBreak: demuxer.mayBreakTimeStamps)
        self.demuxer = demuxer
        orientation = checked.orientation
        colorTags = claims.colorTags
        declaredCount = claims.frameCount
        headerWarnings = checked.warnings
        nextPoints = request.grids.map { _ in 0 }
        let isTurned = request.pictures.appliesRotation && checked.orientation.swapsAxes
        outlook = VideoOutlook(
            seconds: checked.durationSeconds.flatMap { $0 > 0 ? $0 : nil }, byteCount: source.byteCount, framesPerSecond: checked.framesPerSecond,
            pixelAspect: claims.pixelAspect.map { isTurned ? 1 / $0 : $0 })
    }

    deinit {
        var frame: UnsafeMutablePointer<AVFrame>? = unsafe pending
        unsafe av_frame_free(&frame)
    }

    /// Frames and pixels decoded for one part at most, so that stretches that nobody looks at are reported, too, and
    /// whoever reads the video can stop.
    private static let partFrameLimit = 512
    private static let partPixelLimit = 1 << 28

    /// The next part: at most `batchCount` wanted frames, fewer where few are wanted.
    ///
    /// - Throws: `VideoError` where not one frame of the video decodes.
    package func next() throws(VideoError) -> VideoPart {
        guard !isAtEnd else {
            // Whoever reads ahead may ask once more.
            var part = VideoPart()
            part.isLast = true
            return part
        }
        var part = VideoPart()
        let firstCount = decodedCount
        var pixelCount = 0
        while part.frames.count < request.batchCount, decodedCount - firstCount < Self.partFrameLimit, pixelCount < Self.partPixelLimit {
            guard try decoder.next(from: &demuxer) else {
                try end(&part)
                break
            }
            decodedCount += 1
            pixelCount += Int(unsafe decoder.frame.pointee.width) * Int(unsafe decoder.frame.pointee.height)
            guard let number = nextNumber else { continue }
            noteLostFrames(before: number, in: &part)
            let time = clock.time(ofStamp: decoder.stampSeconds)
            part.times.append(time)
            frameCount = number + 1
            let position = request.unit == .seconds ? time : Double(number)
            try deliver(upTo: position, into: &part)
            unsafe av_frame_unref(pending)
            unsafe av_frame_move_ref(pending, decoder.frame)
            pendingPosition = position
            pendingDuration = decoder.durationSeconds
        }
        if !part.isLast { part.seconds = clock.last }
        part.readByteCount = source.position
        return part
    }

    /// The number of the frame that was just decoded; nil for one that the video's count of frames does not know.
    private var nextNumber: Int? {
        guard let order = index?.order, !order.isCounted, let packet = decoder.number else { return frameCount }
        return order.frame(ofPacket: packet).flatMap { $0 >= frameCount ? $0 : nil }
    }

    /// Frames that did not decode have their times all the same.
    private func noteLostFrames(before number: Int, in part: inout VideoPart) {
        guard let index, number > frameCount else { return }
        for lost in frameCount..<number {
            let packet = index.order.packets.indices.contains(lost) ? index.order.packets[lost] : nil
            let stamp = packet.flatMap { index.facts[$0].presentationTime }
            part.times.append(clock.time(ofStamp: stamp.flatMap { decoder.seconds(ofStamp: $0) }))
        }
        frameCount = number
    }

    /// Hands out the frame before `position` if some grid looks at it.
    private func deliver(upTo position: Double, isLast: Bool = false, into part: inout VideoPart) throws(VideoError) {
        guard pendingPosition != nil else { return }
        let points = Self.points(shownUntil: position, isLast: isLast, of: request.grids, from: &nextPoints)
        guard points.contains(where: { !$0.isEmpty }) else { return }
        part.frames.append(StreamedFrame(picture: request.shrunk(try convertedPending()), points: points))
    }

    /// For each grid the moments at which the frame before `position` is shown; moves on to the ones after them.
    static func points(shownUntil position: Double, isLast: Bool, of grids: [WindowGrid], from nextPoints: inout [Int]) -> [Range<Int>] {
        grids.enumerated().map { index, grid in
            let first = nextPoints[index]
            var end = max(first, grid.firstPoint(from: position))
            // A video too short for a single moment is seen by its last frame.
            if isLast && end == 0 { end = 1 }
            nextPoints[index] = end
            return seen(first..<end, of: grid)
        }
    }

    /// The stretch of `range` that windows see; with gaps between windows it may lie in one, or span several.
    private static func seen(_ range: Range<Int>, of grid: WindowGrid) -> Range<Int> {
        guard !range.isEmpty, grid.stride > grid.window else { return range }
        guard let first = range.first(where: grid.isSeen), let last = range.last(where: grid.isSeen) else {
            return range.lowerBound..<range.lowerBound
        }
        return first..<last + 1
    }

    private func end(_ part: inout VideoPart) throws(VideoError) {
        guard pendingPosition != nil else {
            let isIncomplete = try VideoFile.isIncomplete(source)
            throw VideoError(
                path: request.path,
                problem: isIncomplete
                    ? .incompleteDownload(byteCount: source.byteCount)
                    : .nothingDecodes(packetCount: demuxer.packetPosition, declaredFrameCount: declaredCount))
        }
        if let index { noteLostFrames(before: index.order.frameCount, in: &part) }
        let seconds = clock.end(lastDuration: pendingDuration)
        try deliver(upTo: request.unit == .seconds ? seconds : Double(frameCount), isLast: true, into: &part)
        part.seconds = seconds
        part.isLast = true
        part.warnings = warnings.map(\.description)
        isAtEnd = true
    }

    private var warnings: [VideoWarning] {
        var result = headerWarnings + otherSizes
        if declaredCount > decoder.wholePacketCount {
            result.append(.fewerFramesThanDeclared(declared: declaredCount, found: max(frameCount, decodedCount)))
        }
        result += [demuxer.damage, decoder.end.warning].compactMap { $0 }
        if !decoder.damagedPackets.isEmpty { result.append(.damagedFrames(count: decoder.damagedPackets.count)) }
        if clock.jumpCount > 0 { result.append(.timeJumps(count: clock.jumpCount)) }
        if clock.missingCount > 0 { result.append(.missingTimes(count: clock.missingCount, frameSeconds: clock.frameSeconds)) }
        return result
    }

    private func convertedPending() throws(VideoError) -> VideoFrame {
        let width = Int(unsafe pending.pointee.width)
        let height = Int(unsafe pending.pointee.height)
        if converter == nil {
            converter = FrameConverter(
                width: width, height: height, orientation: orientation, tags: colorTags, rules: request.pictures,
                crop: try request.pictures.crop(of: FrameSize(width: width, height: height), turnedBy: orientation, path: request.path))
            firstSize = FrameSize(width: width, height: height)
        }
        if firstSize != FrameSize(width: width, height: height) {
            let warning = VideoWarning.sizeChange(width: width, height: height)
            if !otherSizes.contains(warning) { otherSizes.append(warning) }
        }
        do throws(ConversionFailure) {
            guard let frame = try unsafe converter?.convert(pending) else { throw ConversionFailure(code: vifi_error_no_memory()) }
            return frame
        } catch {
            throw VideoError(path: request.path, problem: .cannotConvert(reason: error.reason))
        }
    }
}

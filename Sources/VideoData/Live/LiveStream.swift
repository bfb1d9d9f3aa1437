import CFFmpeg
import Files
import Foundation

/// Windows of a live source, as they are complete.
///
/// A source is read forward, once. Sendable because one thread at a time uses it: the one that reads.
@safe package final class LiveStream: @unchecked Sendable {
    /// Its sender waits for whoever reads: nothing gets lost by reading slowly.
    package let isRecording: Bool
    private let request: LiveRequest
    private let input: LiveInput
    private let demuxer: LiveDemuxer
    private var codec: Codec
    private var converter: FrameConverter?
    private var clock: StreamClock
    private var windows: WindowAssembler
    /// The frame that is shown until the next one begins.
    private let pending: UnsafeMutablePointer<AVFrame>
    private var hasPending = false
    private var pendingDuration: Double?
    private var packetCount = 0
    private var isAtEnd = false

    /// Opens a source. This takes as long as its server and the first packets.
    ///
    /// - Parameter isCancelled: asked many times a second, from any thread.
    /// - Throws: `LiveError`.
    package init(_ request: LiveRequest, limits: VideoLimits = VideoLimits(), isCancelled: @escaping @Sendable () -> Bool) throws(LiveError) {
        self.request = request
        let input = LiveInput(request.address, timeoutSeconds: request.timeoutSeconds, limits: limits, isCancelled: isCancelled)
        let demuxer = try LiveDemuxer(input, camera: request.camera, limits: limits)
        guard let frame = unsafe av_frame_alloc(), let parameters = unsafe demuxer.stream.pointee.codecpar else {
            throw LiveError(source: input.path, problem: .video(input.error(vifi_error_no_memory()).problem))
        }
        do throws(VideoError) {
            codec = try unsafe Codec(
                parameters: parameters, timeBase: demuxer.stream.pointee.time_base, source: input, threadCount: 1, limits: limits)
        } catch {
            var unused: UnsafeMutablePointer<AVFrame>? = unsafe frame
            unsafe av_frame_free(&unused)
            throw LiveError(source: input.path, problem: .video(error.problem))
        }
        unsafe pending = frame
        self.input = input
        isRecording = demuxer.isRecording
        clock = StreamClock(framesPerSecond: demuxer.framesPerSecond)
        windows = WindowAssembler(grids: request.grids, fillsGaps: demuxer.isRecording)
        self.demuxer = demuxer
    }

    deinit {
        var frame: UnsafeMutablePointer<AVFrame>? = unsafe pending
        unsafe av_frame_free(&frame)
    }

    /// The next window; nil at the source's end.
    ///
    /// - Throws: `LiveError`.
    package func next() throws(LiveError) -> LiveWindow? {
        do {
            while !windows.hasComplete, !isAtEnd { try decodeOne() }
        } catch let error as LiveError {
            throw error
        } catch let error as VideoError {
            throw LiveError(source: input.path, problem: .video(error.problem))
        } catch let error as ConversionFailure {
            throw LiveError(source: input.path, problem: .video(.cannotConvert(reason: error.reason)))
        } catch {
            throw LiveError(source: input.path, problem: .brokenOff(reason: "\(error)"))
        }
        return windows.takeComplete()
    }

    private func decodeOne() throws {
        switch try codec.receive() {
        case .frame:
            // A limit for each picture: the stream as a whole has none.
            input.beginWork()
            try take()
            return
        case .end: return try end()
        case .rejected where codec.isDraining: return try end()
        case .rejected, .hungry: break
        }
        guard try unsafe demuxer.read(into: codec.packet) else { return codec.drain() }
        packetCount += 1
        _ = try codec.send(number: packetCount)
    }

    /// A frame was decoded: the one before it is over.
    private func take() throws {
        let stamp = unsafe codec.frame.pointee.best_effort_timestamp
        let isKnown = stamp != vifi_no_timestamp() && demuxer.unitSeconds > 0
        let time = clock.time(ofStamp: isKnown ? Double(stamp) * demuxer.unitSeconds : nil)
        try deliver(upTo: time)
        unsafe av_frame_unref(pending)
        unsafe av_frame_move_ref(pending, codec.frame)
        hasPending = true
        let duration = unsafe vifi_frame_duration(pending)
        pendingDuration = duration > 0 && demuxer.unitSeconds > 0 ? Double(duration) * demuxer.unitSeconds : nil
    }

    private func deliver(upTo seconds: Double, isLast: Bool = false) throws {
        guard hasPending else { return }
        try windows.add(until: seconds, isLast: isLast) { try converted() }
    }

    private func end() throws {
        isAtEnd = true
        guard hasPending else {
            throw LiveError(source: input.path, problem: packetCount == 0 ? .nothing : .video(.nothingDecodes(packetCount: packetCount, declaredFrameCount: 0)))
        }
        try deliver(upTo: clock.end(lastDuration: pendingDuration), isLast: true)
    }

    private func converted() throws -> VideoFrame {
        let size = FrameSize(width: Int(unsafe pending.pointee.width), height: Int(unsafe pending.pointee.height))
        if converter == nil {
            converter = FrameConverter(
                width: size.width, height: size.height, orientation: demuxer.orientation, tags: demuxer.colorTags, rules: request.pictures,
                crop: try request.pictures.crop(of: size, turnedBy: demuxer.orientation, path: input.path))
        }
        guard let frame = try unsafe converter?.convert(pending) else { throw ConversionFailure(code: vifi_error_no_memory()) }
        return frame.resized(shortSide: request.shortSide)
    }
}

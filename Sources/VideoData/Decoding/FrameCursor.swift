import CFFmpeg

/// Walks through the frames of a stream in the order shown, jumping ahead where that saves work.
@safe struct FrameCursor: ~Copyable {
    private var decoder: FrameDecoder
    /// The frame before the decoder's newest one.
    private let previous: UnsafeMutablePointer<AVFrame>
    /// Numbers of the two frames held; nil where there is none.
    private var previousNumber: Int?
    private var currentNumber: Int?
    private var hasEnded = false
    /// Frames below this one belong to what lies before the entry point and may be damaged.
    private var firstValid = 0
    /// Where the present run began; nil before the first.
    private var entryPacket: Int?
    private var countedFrames = 0
    private var selectsPrevious = false
    /// Decodes everything from the first packet on. What follows damage depends on all that was decoded before it.
    private let neverJumps: Bool

    init(decoder: consuming FrameDecoder, neverJumps: Bool) throws(VideoError) {
        guard let frame = unsafe av_frame_alloc() else {
            throw decoder.store.source.error(vifi_error_no_memory())
        }
        self.decoder = decoder
        self.neverJumps = neverJumps
        unsafe previous = frame
    }

    deinit {
        var frame: UnsafeMutablePointer<AVFrame>? = unsafe previous
        unsafe av_frame_free(&frame)
    }

    var damagedPackets: Set<Int> { decoder.damagedPackets }
    /// Some packets were not decoded, or some were decoded by a codec that had seen others before.
    private(set) var hasJumped = false

    enum Outcome {
        /// `selected` is the frame.
        case found
        /// The frame does not decode; `selected` is the last one before it that does, or else the first.
        case standIn
        case nothing
        /// The frames come in another order than their time stamps say.
        case orderMismatch
    }

    /// The picture that `seek` settled on, valid until the next call.
    var selected: UnsafeMutablePointer<AVFrame> { unsafe selectsPrevious ? previous : decoder.frame }

    /// Some frame has been decoded.
    var isAtFrame: Bool { currentNumber != nil || previousNumber != nil }

    /// Decodes frame `number`.
    mutating func seek(to number: Int, in order: FrameOrder) throws(VideoError) -> Outcome {
        let entry = neverJumps ? 0 : order.entryPoint(forFrame: number)
        let isBehind = previousNumber ?? currentNumber ?? -1 > number
        if entryPacket == nil || isBehind || entry > decoder.position {
            try start(at: entry, in: order)
        }
        if let outcome = try advance(to: number, in: order) { return outcome }
        // Nothing before the wanted frame decodes from that entry point: look from the very start.
        if entryPacket != 0 {
            try start(at: 0, in: order)
            if let outcome = try advance(to: number, in: order) { return outcome }
        }
        selectsPrevious = false
        return currentNumber == nil ? .nothing : .standIn
    }

    private mutating func start(at packet: Int, in order: FrameOrder) throws(VideoError) {
        if order.isCounted {
            try decoder.startAfresh()  // A count only repeats itself if the codec remembers nothing.
        } else if entryPacket != nil || packet != 0 {
            decoder.start(at: packet)
            hasJumped = true
        }
        entryPacket = packet
        previousNumber = nil
        currentNumber = nil
        hasEnded = false
        countedFrames = 0
        firstValid = packet == 0 ? 0 : order.frame(ofPacket: packet) ?? 0
    }

    /// Decodes until frame `number` is reached or passed. Returns nil if nothing came out before it.
    private mutating func advance(to number: Int, in order: FrameOrder) throws(VideoError) -> Outcome? {
        while true {
            if let currentNumber, currentNumber == number {
                selectsPrevious = false
                return .found
            }
            if hasEnded || currentNumber ?? -1 > number {
                selectsPrevious = true
                return previousNumber == nil ? nil : previousNumber == number ? .found : .standIn
            }
            if currentNumber != nil {
                unsafe av_frame_unref(previous)
                unsafe av_frame_move_ref(previous, decoder.frame)
                previousNumber = currentNumber
                currentNumber = nil
            }
            guard let packet = try decoder.next() else {
                hasEnded = true
                continue
            }
            let arrived: Int?
            if order.isCounted {
                arrived = countedFrames
                countedFrames += 1
            } else {
                arrived = order.frame(ofPacket: packet)
            }
            guard let arrived, arrived >= firstValid else { continue }
            if let previousNumber, arrived <= previousNumber {
                if order.isAssumed { return .orderMismatch }
                continue
            }
            currentNumber = arrived
        }
    }
}

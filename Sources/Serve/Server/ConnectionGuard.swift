import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Ends connections of clients that are too slow, and of those that go on sending what was refused.
///
/// Slow heads and bodies would otherwise hold a connection for ever; so would a client that does not take its answer.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum Phase {
        /// Nothing of a request is here yet.
        case head
        case body(began: NIODeadline)
        /// All of the request is here; its answer is being made.
        case answer
        /// The answer is out though the request goes on: what comes now is thrown away.
        case refused
    }

    private let limits: ServerLimits
    private var phase = Phase.head
    private var isFirst = true
    private var lastProgress = NIODeadline.now()
    private var unwritableSince: NIODeadline?
    private var check: RepeatedTask?
    /// Of a body whose answer is out.
    private var refusedBytes = 0
    private static let refusedByteLimit = 64 << 20
    private static let refusedSeconds = 2.0
    /// For the answer to be written before the connection is closed in its direction.
    private static let lastWordsDelay = TimeAmount.milliseconds(100)

    init(limits: ServerLimits) { self.limits = limits }

    func handlerAdded(context: ChannelHandlerContext) {
        let (channel, own) = (context.channel, NIOLoopBound(self, eventLoop: context.eventLoop))
        check = context.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            if own.value.isOverdue { channel.close(promise: nil) }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        check?.cancel()
        check = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        check?.cancel()
        check = nil
        context.fireChannelInactive()
    }

    private var isOverdue: Bool {
        if let unwritableSince, Self.seconds(since: unwritableSince) > limits.writeSeconds { return true }
        let rest = Self.seconds(since: lastProgress)
        return switch phase {
        case .head: rest > (isFirst ? limits.headSeconds : limits.idleSeconds)
        case .body(let began): rest > limits.bodyIdleSeconds || Self.seconds(since: began) > limits.bodySeconds
        case .answer: false
        case .refused: rest > Self.refusedSeconds
        }
    }

    private static func seconds(since moment: NIODeadline) -> Double { Double((NIODeadline.now() - moment).nanoseconds) * 1e-9 }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            // Who asks again before the answer is there, which browsers and curl do not, would confuse whose body comes in.
            guard case .head = phase else {
                context.close(promise: nil)
                return
            }
            lastProgress = .now()
            phase = .body(began: .now())
            isFirst = false
            let isTooLong = head.headerFields[.contentLength].flatMap { Int($0) }.map { $0 > limits.videoBytes + limits.formBytes } ?? false
            if head.headerFields[.expect]?.lowercased() == "100-continue", !isTooLong {
                context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
            }
        case .body(let buffer):
            if case .refused = phase {
                refusedBytes += buffer.readableBytes
                if refusedBytes > Self.refusedByteLimit { context.close(promise: nil) }
            } else {
                lastProgress = .now()
            }
        case .end:
            if case .refused = phase { phase = .head } else { phase = .answer }
            lastProgress = .now()
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) {
            lastProgress = .now()
            if case .body = phase {
                phase = .refused
                refusedBytes = 0
                // A client that sees the end stops sending and reads why; closing at once could take the answer from it.
                let channel = context.channel
                context.eventLoop.scheduleTask(in: Self.lastWordsDelay) { channel.close(mode: .output, promise: nil) }
            } else {
                phase = .head
            }
        }
        context.write(data, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        unwritableSince = context.channel.isWritable ? nil : .now()
        context.fireChannelWritabilityChanged()
    }
}

import CFFmpeg
import Glibc
import Synchronization

/// What FFmpeg tells of errors only in its log: that a container is damaged and it went on behind the damage, and how
/// large a picture was that it refused. It prints nothing.
enum MediaLog {
    private struct State {
        /// For each demuxer that is watched the first error and the number of all.
        var complaints: [UInt: (first: String, count: Int)] = [:]
        /// For each thread the pixels of the last picture that was refused for its size.
        var refusedPixels: [UInt: Int] = [:]
    }

    private static let state = Mutex(State())

    /// Touch this before using FFmpeg.
    static let isInstalled: Bool = {
        av_log_set_level(AV_LOG_QUIET)
        unsafe av_log_set_callback { context, level, format, arguments in
            guard level >= 0, level & 0xff <= AV_LOG_ERROR, let format = unsafe format, let arguments = unsafe arguments else { return }
            unsafe MediaLog.note(context: UInt(bitPattern: context), format: format, arguments: arguments)
        }
        return true
    }()

    private static func note(context: UInt, format: UnsafePointer<CChar>, arguments: CVaListPointer) {
        let isWatched = state.withLock { $0.complaints[context] != nil }
        let isRefusal = unsafe strstr(format, "exceeds specified max pixel count") != nil
        guard isWatched || isRefusal else { return }
        var buffer = [CChar](repeating: 0, count: 300)
        unsafe vsnprintf(&buffer, buffer.count, format, arguments)
        var text = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        while text.last?.isWhitespace == true || text.last == "." { text.removeLast() }
        state.withLock { state in
            if isRefusal {
                let sides = text.split { !$0.isASCII || !$0.isNumber }.compactMap { Int($0) }
                if sides.count >= 2 { state.refusedPixels[UInt(pthread_self())] = sides[0].multipliedReportingOverflow(by: sides[1]).partialValue }
            }
            if let known = state.complaints[context] { state.complaints[context] = (known.count == 0 ? text : known.first, known.count + 1) }
        }
    }

    // MARK: Demuxers

    static func watch(_ context: UnsafeMutablePointer<AVFormatContext>) {
        state.withLock { $0.complaints[UInt(bitPattern: context)] = ("", 0) }
    }

    static func forget(_ context: UnsafeMutablePointer<AVFormatContext>) {
        state.withLock { $0.complaints[UInt(bitPattern: context)] = nil }
    }

    /// The first error that the demuxer told of; nil where there was none.
    static func complaint(of context: UnsafeMutablePointer<AVFormatContext>) -> String? {
        state.withLock { $0.complaints[UInt(bitPattern: context)].flatMap { $0.count > 0 ? $0.first : nil } }
    }

    // MARK: Decoders

    /// The pixels of the picture that was refused last on this thread, which is then forgotten.
    static func takeRefusedPixels() -> Int? {
        state.withLock { $0.refusedPixels.removeValue(forKey: UInt(pthread_self())) }
    }
}

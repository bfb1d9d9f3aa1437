import CFFmpeg
import Files
import Glibc
import Synchronization

/// What FFmpeg asks of a live source while it reads: whether to go on, and the bytes of standard input.
///
/// A class because FFmpeg keeps a pointer to it between calls. Sendable because FFmpeg may ask from threads of its own;
/// what changes is behind a lock, or touched by the reading thread alone.
final class LiveInput: MediaOrigin, @unchecked Sendable {
    let address: LiveAddress
    private let timeoutSeconds: Double
    private let isCancelled: @Sendable () -> Bool
    private let descriptor: Int32
    /// Whether standard input held anything; touched by the reading thread alone.
    private(set) var hasReceived = false

    private struct State {
        /// Of what is waited for; nil where nothing is.
        var deadline: ContinuousClock.Instant?
        var isLate = false
        var otherOrigin: String?
    }

    private let state = Mutex(State())

    /// - Parameters:
    ///   - timeoutSeconds: within which something must come.
    ///   - isCancelled: asked many times a second, from any thread.
    ///   - descriptor: of standard input.
    init(
        _ address: LiveAddress, timeoutSeconds: Double, limits: VideoLimits, descriptor: Int32 = 0, isCancelled: @escaping @Sendable () -> Bool
    ) {
        self.address = address
        self.timeoutSeconds = timeoutSeconds
        self.isCancelled = isCancelled
        self.descriptor = descriptor
        // Of what is decoded between two pictures that are looked at: no stream of cameras comes near it.
        super.init(path: address.shown, pixelLimit: limits.decodedPixelLimit(fileByteCount: 0), onProgress: nil)
    }

    /// From now on something must come within the time. Whoever writes to standard input may take all of it.
    func expect() {
        guard address.kind != .standardInput else { return }
        state.withLock { $0.deadline = .now + .seconds(timeoutSeconds) }
    }

    /// Whether FFmpeg is to give up what it does.
    var mustStop: Bool {
        if isCancelled() { return true }
        return state.withLock { state in
            guard let deadline = state.deadline, ContinuousClock.now > deadline else { return state.otherOrigin != nil }
            state.isLate = true
            return true
        }
    }

    func refuse(origin: String) { state.withLock { $0.otherOrigin = origin } }

    /// Why FFmpeg gave up, where it was told to; nil where it had reasons of its own.
    var reason: LiveError.Problem? {
        if isCancelled() { return .stopped }
        return state.withLock { state in
            if let origin = state.otherOrigin { return .otherOrigin(origin) }
            return state.isLate ? .silent(seconds: timeoutSeconds) : nil
        }
    }

    // MARK: Standard input

    /// Files can be read again from another place, pipes cannot.
    var canSeek: Bool {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    fileprivate func read(into buffer: UnsafeMutableRawBufferPointer) -> Int32 {
        while true {
            if mustStop { return vifi_error_exit() }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = unsafe poll(&waiting, 1, 100)
            if ready == 0 || ready < 0 && errno == EINTR { continue }
            let count = unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count > 0 {
                hasReceived = true
                return Int32(count)
            }
            if count == 0 { return vifi_error_end_of_file() }
            if errno == EINTR || errno == EAGAIN { continue }
            failure = .file(FileError(path: "standard input", problem: .readFailed(reason: systemErrorText())))
            return vifi_error_input_output()
        }
    }

    fileprivate func seek(to offset: Int64, whence: Int32) -> Int64 {
        if whence & AVSEEK_SIZE != 0 {
            var status = stat()
            return unsafe fstat(descriptor, &status) == 0 ? Int64(status.st_size) : Int64(vifi_error_invalid())
        }
        let place = lseek(descriptor, off_t(offset), whence & ~AVSEEK_FORCE)
        return place >= 0 ? Int64(place) : Int64(vifi_error_invalid())
    }

    /// A reader of standard input, which the caller frees with `vifi_io_free` before it lets go of this.
    func makeReader() throws(VideoError) -> UnsafeMutablePointer<AVIOContext> {
        let created = unsafe vifi_io_create(
            Unmanaged.passUnretained(self).toOpaque(), 1 << 16, readLiveInput, nil, canSeek ? seekLiveInput : nil)
        guard let io = unsafe created else { throw error(vifi_error_no_memory()) }
        return unsafe io
    }

    /// Hands itself to a demuxer before it opens anything.
    func watch(_ context: UnsafeMutablePointer<AVFormatContext>) {
        let own = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe context.pointee.interrupt_callback = AVIOInterruptCB(callback: mustStopReading, opaque: own)
        unsafe context.pointee.opaque = own
        switch address.kind {
        case .http, .hls: unsafe context.pointee.io_open = openWithinOrigin
        case .standardInput, .camera, .rtsp: unsafe vifi_forbid_nested_files(context)
        }
    }
}

@unsafe private func input(_ opaque: UnsafeMutableRawPointer?) -> LiveInput? {
    guard let opaque = unsafe opaque else { return nil }
    return unsafe Unmanaged<LiveInput>.fromOpaque(opaque).takeUnretainedValue()
}

private func mustStopReading(opaque: UnsafeMutableRawPointer?) -> Int32 { unsafe input(opaque)?.mustStop ?? true ? 1 : 0 }

private func readLiveInput(opaque: UnsafeMutableRawPointer?, buffer: UnsafeMutablePointer<UInt8>?, count: Int32) -> Int32 {
    guard let input = unsafe input(opaque), let buffer = unsafe buffer, count > 0 else { return vifi_error_invalid() }
    return unsafe input.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: Int(count)))
}

private func seekLiveInput(opaque: UnsafeMutableRawPointer?, offset: Int64, whence: Int32) -> Int64 {
    unsafe input(opaque)?.seek(to: offset, whence: whence) ?? Int64(vifi_error_invalid())
}

/// Opens what the command line named; of a playlist also what it names on the same server.
private func openWithinOrigin(
    format: UnsafeMutablePointer<AVFormatContext>?, result: UnsafeMutablePointer<UnsafeMutablePointer<AVIOContext>?>?,
    url: UnsafePointer<CChar>?, flags: Int32, options: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    guard let format = unsafe format, let result = unsafe result, let url = unsafe url, let options = unsafe options,
        let input = unsafe input(format.pointee.opaque)
    else { return vifi_error_invalid() }
    let text = unsafe String(cString: url)
    if input.address.kind == .hls {
        // Encrypted segments are read through a protocol around the one that fetches them.
        let plain = ["crypto+", "crypto:"].first(where: text.hasPrefix).map { String(text.dropFirst($0.count)) } ?? text
        guard let origin = URLOrigin(plain), origin == URLOrigin(input.address.text) else {
            input.refuse(origin: URLOrigin(plain)?.text ?? plain)
            return vifi_error_exit()
        }
        // Nor does that server send to another one.
        unsafe av_dict_set(options, "max_redirects", "0", 0)
    } else if text != input.address.text {
        return vifi_error_invalid()
    }
    // FFmpeg by itself takes any certificate. Without HTTPS nobody looks at this.
    unsafe av_dict_set(options, "tls_verify", "1", 0)
    unsafe av_dict_set(options, "protocol_whitelist", input.address.protocols.joined(separator: ","), 0)
    return unsafe avio_open2(result, url, flags, &format.pointee.interrupt_callback, options)
}

import CFFmpeg
import Files

/// Where FFmpeg writes a video to, and reads it from once more for moving the table of contents to its front.
///
/// A class because FFmpeg keeps a pointer to it between calls.
class MediaSink {
    fileprivate var writeOffset = 0
    fileprivate var readOffset = 0

    fileprivate(set) var byteCount = 0
    /// Why the last callback failed; FFmpeg's own code does not say.
    fileprivate(set) var failure: FileError?

    fileprivate func store(_ bytes: UnsafeBufferPointer<UInt8>) throws(FileError) {}
    fileprivate func load(into buffer: UnsafeMutableBufferPointer<UInt8>) throws(FileError) {}

    fileprivate func write(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
        do throws(FileError) {
            unsafe try store(bytes)
        } catch {
            failure = error
            return vifi_error_input_output()
        }
        writeOffset += bytes.count
        byteCount = max(byteCount, writeOffset)
        return Int32(bytes.count)
    }

    fileprivate func read(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Int32 {
        let count = min(buffer.count, byteCount - readOffset)
        guard count > 0 else { return vifi_error_end_of_file() }
        do throws(FileError) {
            unsafe try load(into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
        } catch {
            failure = error
            return vifi_error_input_output()
        }
        readOffset += count
        return Int32(count)
    }
}

/// Bytes in memory.
final class MemorySink: MediaSink {
    private(set) var bytes: [UInt8] = []

    fileprivate override func store(_ source: UnsafeBufferPointer<UInt8>) throws(FileError) {
        if writeOffset > bytes.count { bytes.append(contentsOf: repeatElement(0, count: writeOffset - bytes.count)) }
        let overlap = min(bytes.count - writeOffset, source.count)
        if overlap > 0 { unsafe bytes.replaceSubrange(writeOffset..<writeOffset + overlap, with: source[..<overlap]) }
        unsafe bytes.append(contentsOf: source[max(0, overlap)...])
    }

    fileprivate override func load(into buffer: UnsafeMutableBufferPointer<UInt8>) throws(FileError) {
        for index in buffer.indices { unsafe buffer[index] = bytes[readOffset + index] }
    }
}

/// A file that appears under its name when it is whole.
final class FileSink: MediaSink {
    private var file: PatchedFile?

    init(path: String) throws(FileError) { file = try PatchedFile(path: path) }

    fileprivate override func store(_ source: UnsafeBufferPointer<UInt8>) throws(FileError) {
        unsafe try file?.write(UnsafeRawBufferPointer(source), at: writeOffset)
    }

    fileprivate override func load(into buffer: UnsafeMutableBufferPointer<UInt8>) throws(FileError) {
        unsafe try file?.read(into: UnsafeMutableRawBufferPointer(buffer), at: readOffset)
    }

    func commit() throws(FileError) { try file.take()?.commit() }
}

@unsafe private func sink(_ opaque: UnsafeMutableRawPointer?) -> MediaSink? {
    guard let opaque = unsafe opaque else { return nil }
    return unsafe Unmanaged<MediaSink>.fromOpaque(opaque).takeUnretainedValue()
}

func writeToSink(
    opaque: UnsafeMutableRawPointer?, buffer: UnsafePointer<UInt8>?, count: Int32
) -> Int32 {
    guard let sink = unsafe sink(opaque), let buffer = unsafe buffer, count >= 0 else { return vifi_error_invalid() }
    return unsafe sink.write(UnsafeBufferPointer(start: buffer, count: Int(count)))
}

func seekInSink(opaque: UnsafeMutableRawPointer?, offset: Int64, whence: Int32) -> Int64 {
    guard let sink = unsafe sink(opaque) else { return Int64(vifi_error_invalid()) }
    if whence & AVSEEK_SIZE != 0 { return Int64(sink.byteCount) }
    let base =
        switch whence & ~AVSEEK_FORCE {
        case SEEK_CUR: sink.writeOffset
        case SEEK_END: sink.byteCount
        default: 0
        }
    // Beyond the end too: the muxer makes room for a table of contents longer than the pictures.
    let target = base + Int(offset)
    guard target >= 0 else { return Int64(vifi_error_invalid()) }
    sink.writeOffset = target
    return Int64(target)
}

private func readFromSink(
    opaque: UnsafeMutableRawPointer?, buffer: UnsafeMutablePointer<UInt8>?, count: Int32
) -> Int32 {
    guard let sink = unsafe sink(opaque), let buffer = unsafe buffer, count >= 0 else { return vifi_error_invalid() }
    return unsafe sink.read(into: UnsafeMutableBufferPointer(start: buffer, count: Int(count)))
}

private func seekReaderInSink(opaque: UnsafeMutableRawPointer?, offset: Int64, whence: Int32) -> Int64 {
    guard let sink = unsafe sink(opaque) else { return Int64(vifi_error_invalid()) }
    if whence & AVSEEK_SIZE != 0 { return Int64(sink.byteCount) }
    let target = (whence & ~AVSEEK_FORCE == SEEK_CUR ? sink.readOffset : 0) + Int(offset)
    guard (0...sink.byteCount).contains(target) else { return Int64(vifi_error_invalid()) }
    sink.readOffset = target
    return Int64(target)
}

func openSinkForReading(
    format: UnsafeMutablePointer<AVFormatContext>?, result: UnsafeMutablePointer<UnsafeMutablePointer<AVIOContext>?>?,
    url: UnsafePointer<CChar>?, flags: Int32, options: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    guard let format = unsafe format, let result = unsafe result, let sink = unsafe sink(format.pointee.opaque) else {
        return vifi_error_invalid()
    }
    sink.readOffset = 0
    unsafe result.pointee = vifi_io_create(
        format.pointee.opaque, 1 << 16, readFromSink, nil, seekReaderInSink)
    return unsafe result.pointee == nil ? vifi_error_no_memory() : 0
}

func closeSinkReader(
    format: UnsafeMutablePointer<AVFormatContext>?, io: UnsafeMutablePointer<AVIOContext>?
) -> Int32 {
    unsafe vifi_io_free(io)
    return 0
}

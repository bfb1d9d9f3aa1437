import CFFmpeg

/// Bytes that FFmpeg writes, and reads once more for moving the table of contents.
final class MemorySink {
    fileprivate(set) var bytes: [UInt8] = []
    fileprivate var writeOffset = 0
    fileprivate var readOffset = 0
}

@unsafe private func sink(_ opaque: UnsafeMutableRawPointer?) -> MemorySink? {
    guard let opaque = unsafe opaque else { return nil }
    return unsafe Unmanaged<MemorySink>.fromOpaque(opaque).takeUnretainedValue()
}

func writeToSink(
    opaque: UnsafeMutableRawPointer?, buffer: UnsafePointer<UInt8>?, count: Int32
) -> Int32 {
    guard let sink = unsafe sink(opaque), let buffer = unsafe buffer, count >= 0 else { return vifi_error_invalid() }
    let source = unsafe UnsafeBufferPointer(start: buffer, count: Int(count))
    if sink.writeOffset > sink.bytes.count {
        sink.bytes.append(contentsOf: repeatElement(0, count: sink.writeOffset - sink.bytes.count))
    }
    let overlap = min(sink.bytes.count - sink.writeOffset, Int(count))
    if overlap > 0 {
        unsafe sink.bytes.replaceSubrange(sink.writeOffset..<sink.writeOffset + overlap, with: source[..<overlap])
    }
    unsafe sink.bytes.append(contentsOf: source[max(0, overlap)...])
    sink.writeOffset += Int(count)
    return count
}

func seekInSink(opaque: UnsafeMutableRawPointer?, offset: Int64, whence: Int32) -> Int64 {
    guard let sink = unsafe sink(opaque) else { return Int64(vifi_error_invalid()) }
    if whence & AVSEEK_SIZE != 0 { return Int64(sink.bytes.count) }
    let base =
        switch whence & ~AVSEEK_FORCE {
        case SEEK_CUR: sink.writeOffset
        case SEEK_END: sink.bytes.count
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
    guard let sink = unsafe sink(opaque), let buffer = unsafe buffer else { return vifi_error_invalid() }
    let available = min(Int(count), sink.bytes.count - sink.readOffset)
    guard available > 0 else { return vifi_error_end_of_file() }
    for index in 0..<available { unsafe buffer[index] = sink.bytes[sink.readOffset + index] }
    sink.readOffset += available
    return Int32(available)
}

private func seekReaderInSink(opaque: UnsafeMutableRawPointer?, offset: Int64, whence: Int32) -> Int64 {
    guard let sink = unsafe sink(opaque) else { return Int64(vifi_error_invalid()) }
    if whence & AVSEEK_SIZE != 0 { return Int64(sink.bytes.count) }
    let target = (whence & ~AVSEEK_FORCE == SEEK_CUR ? sink.readOffset : 0) + Int(offset)
    guard (0...sink.bytes.count).contains(target) else { return Int64(vifi_error_invalid()) }
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

import CFFmpeg
import Files

/// The bytes of one checked file, lent to FFmpeg through callbacks: FFmpeg itself opens nothing.
///
/// A class because FFmpeg keeps a pointer to it between calls.
final class MediaSource: MediaOrigin {
    private let file: InputFile
    private var offset = 0

    init(path: String, limits: VideoLimits) throws(VideoError) {
        do throws(FileError) {
            file = try StoredVideo.open(path)
        } catch {
            throw VideoError(path: path, problem: .file(error))
        }
        super.init(path: path, pixelLimit: limits.decodedPixelLimit(fileByteCount: file.byteCount), onProgress: limits.onProgress)
    }

    var identity: FileIdentity { file.identity }
    var byteCount: Int { file.byteCount }

    /// Where reading has come to, in bytes.
    var position: Int { min(offset, file.byteCount) }

    /// The first bytes of the file, at most `count`.
    func firstBytes(_ count: Int) throws(VideoError) -> [UInt8] {
        do throws(FileError) {
            return try file.bytes(at: 0, count: min(count, file.byteCount))
        } catch {
            throw VideoError(path: path, problem: .file(error))
        }
    }

    /// Bytes `range`, or as many of them as the file has.
    func bytes(at offset: Int, count: Int) throws(VideoError) -> [UInt8] {
        guard offset < file.byteCount else { return [] }
        do throws(FileError) {
            return try file.bytes(at: offset, count: min(count, file.byteCount - offset))
        } catch {
            throw VideoError(path: path, problem: .file(error))
        }
    }

    /// A fresh reader at the start of the file, which the caller frees with `vifi_io_free` before it
    /// lets go of this source. Only the newest one may be used.
    func makeReader() throws(VideoError) -> UnsafeMutablePointer<AVIOContext> {
        offset = 0
        let created = unsafe vifi_io_create(
            Unmanaged.passUnretained(self).toOpaque(), 1 << 16, readFromSource, nil, seekInSource)
        guard let io = unsafe created else {
            throw error(vifi_error_no_memory())
        }
        return unsafe io
    }

    fileprivate func read(into buffer: UnsafeMutableRawBufferPointer) -> Int32 {
        do throws(FileError) {
            let count = try unsafe file.readAvailable(into: buffer, at: offset)
            if count == 0, offset < file.byteCount {
                throw FileError(path: path, problem: .truncated(offset: offset, needed: buffer.count, byteCount: offset))
            }
            offset += count
            return count > 0 ? Int32(count) : vifi_error_end_of_file()
        } catch {
            failure = .file(error)
            return vifi_error_input_output()
        }
    }

    fileprivate func seek(to position: Int64, whence: Int32) -> Int64 {
        if whence & AVSEEK_SIZE != 0 { return Int64(file.byteCount) }
        let base =
            switch whence & ~AVSEEK_FORCE {
            case SEEK_SET: 0
            case SEEK_CUR: offset
            case SEEK_END: file.byteCount
            default: -1
            }
        let (target, overflow) = Int64(base).addingReportingOverflow(position)
        guard base >= 0, !overflow, target >= 0 else { return Int64(vifi_error_invalid()) }
        offset = Int(target)
        return target
    }
}

private func readFromSource(
    opaque: UnsafeMutableRawPointer?, buffer: UnsafeMutablePointer<UInt8>?, count: Int32
) -> Int32 {
    guard let opaque = unsafe opaque, let buffer = unsafe buffer, count > 0 else { return vifi_error_invalid() }
    let source = unsafe Unmanaged<MediaSource>.fromOpaque(opaque).takeUnretainedValue()
    return unsafe source.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: Int(count)))
}

private func seekInSource(opaque: UnsafeMutableRawPointer?, offset: Int64, whence: Int32) -> Int64 {
    guard let opaque = unsafe opaque else { return Int64(vifi_error_invalid()) }
    let source = unsafe Unmanaged<MediaSource>.fromOpaque(opaque).takeUnretainedValue()
    return source.seek(to: offset, whence: whence)
}

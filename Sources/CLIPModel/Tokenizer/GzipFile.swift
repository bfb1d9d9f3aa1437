import CZlib

/// What is packed in a gzip file of one member, with nothing after it and its checksum verified.
///
/// - Parameter limit: bytes; nothing beyond is unpacked.
func gunzipped(_ packed: [UInt8], limit: Int) throws(TokenizerError.VocabularyFault) -> [UInt8] {
    try unpack(packed, limit: limit).get()
}

private func unpack(_ packed: [UInt8], limit: Int) -> Result<[UInt8], TokenizerError.VocabularyFault> {
    var stream = unsafe z_stream()
    // 15 bits of window; 16 more ask for the gzip wrapper and its checksum.
    guard unsafe inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        return .failure(.damaged)
    }
    defer { unsafe _ = inflateEnd(&stream) }
    var packed = packed
    var contents: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    return unsafe packed.withUnsafeMutableBufferPointer { input in
        unsafe stream.next_in = input.baseAddress
        unsafe stream.avail_in = UInt32(input.count)
        while true {
            let status = unsafe piece.withUnsafeMutableBufferPointer { output in
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(output.count)
                return unsafe inflate(&stream, Z_NO_FLUSH)
            }
            contents += unsafe piece.dropLast(Int(stream.avail_out))
            if contents.count > limit { return .failure(.tooLarge(limit: limit)) }
            if status == Z_STREAM_END { break }
            // Anything but progress means that the data is wrong or ended too soon.
            guard status == Z_OK else { return .failure(.damaged) }
        }
        return unsafe stream.avail_in == 0 ? .success(contents) : .failure(.damaged)
    }
}

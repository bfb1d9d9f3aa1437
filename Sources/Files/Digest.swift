import COpenSSL

/// A running SHA-256.
@safe package struct Digest: ~Copyable {
    private let context: OpaquePointer

    package init() {
        guard let context = unsafe EVP_MD_CTX_new() else { preconditionFailure("no memory for a digest") }
        unsafe self.context = context
        unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil)
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    }

    package mutating func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe update($0) }
    }

    /// The digest of everything so far, in lower-case hexadecimal.
    package var hexadecimal: String {
        var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        // A copy is brought to its end, so that more can follow.
        guard let copy = unsafe EVP_MD_CTX_new() else { preconditionFailure("no memory for a digest") }
        defer { unsafe EVP_MD_CTX_free(copy) }
        unsafe EVP_MD_CTX_copy_ex(copy, context)
        unsafe EVP_DigestFinal_ex(copy, &bytes, &count)
        return bytes.prefix(Int(count)).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }

    package static func of(_ text: String) -> String { of(Array(text.utf8)) }

    package static func of(_ bytes: [UInt8]) -> String {
        var digest = Digest()
        digest.update(bytes)
        return digest.hexadecimal
    }

    package static func ofFile(_ path: String) throws(FileError) -> String {
        let file = try InputFile(path: path)
        var digest = Digest()
        // One buffer for all pieces: making a new one for each costs as much as reading it.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(1 << 20, max(1, file.byteCount)), alignment: 64)
        defer { unsafe buffer.deallocate() }
        var offset = 0
        while offset < file.byteCount {
            let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, file.byteCount - offset)])
            try unsafe file.read(into: piece, at: offset)
            unsafe digest.update(UnsafeRawBufferPointer(piece))
            offset += piece.count
        }
        return digest.hexadecimal
    }
}

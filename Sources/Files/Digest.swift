import Crypto

/// A running SHA-256.
package struct Digest {
    private var hash = SHA256()

    package init() {}

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe hash.update(bufferPointer: bytes)
    }

    package mutating func update(_ bytes: [UInt8]) {
        hash.update(data: bytes)
    }

    /// The digest of everything so far, in lower-case hexadecimal.
    package var hexadecimal: String {
        hash.finalize().map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
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

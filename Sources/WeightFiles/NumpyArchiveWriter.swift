import Files

/// An array of a NumPy archive.
package enum NumpyArray {
    /// `float32` in row-major order.
    case floats(shape: [Int], values: [Float])
    /// `int64`, an array of one dimension.
    case integers([Int])
    /// One string, an array without dimensions: `str(archive["name"])`.
    case text(String)
    /// A list of strings, an array of one dimension. NumPy drops NULs at the end of each.
    case texts([String])
}

/// Writes `.npz` archives that `numpy.load(path, allow_pickle=False)` reads: a zip archive of stored `.npy` files.
///
/// The same arrays always give the same bytes. The file appears whole or not at all.
package enum NumpyArchiveWriter {
    /// Returns the file's SHA-256.
    ///
    /// - Precondition: names are unique; an array has as many values as its shape says.
    @discardableResult
    package static func write(
        _ arrays: [(name: String, array: NumpyArray)], to path: String
    ) throws(WeightFileError) -> String {
        precondition(Set(arrays.map { Bytewise($0.name) }).count == arrays.count, "an array's name occurs twice")
        let byteCount = arrays.reduce(0) { $0 + $1.array.byteCount + 256 }
        var zip = try ZipWriter(path: path, contentByteCount: byteCount)
        for (name, array) in arrays {
            // A header begins at each entry: its end is a multiple of 64 bytes away.
            try zip.append(name: name + ".npy", array.header + array.contents)
        }
        return try zip.commit()
    }
}

extension NumpyArray {
    private var shape: [Int] {
        switch self {
        case .floats(let shape, _): shape
        case .integers(let values): [values.count]
        case .text: []
        case .texts(let texts): [texts.count]
        }
    }

    /// Characters that every string has room for; NumPy's are of one length, in UTF-32.
    private var characterCount: Int {
        switch self {
        case .floats, .integers: 0
        case .text(let text): max(1, text.unicodeScalars.count)
        case .texts(let texts): max(1, texts.map(\.unicodeScalars.count).max() ?? 0)
        }
    }

    private var strings: [String] {
        switch self {
        case .floats, .integers: []
        case .text(let text): [text]
        case .texts(let texts): texts
        }
    }

    fileprivate var byteCount: Int {
        switch self {
        case .floats(_, let values): 4 * values.count
        case .integers(let values): 8 * values.count
        case .text, .texts: 4 * characterCount * strings.count
        }
    }

    /// Version 1.0 of the format (numpy/lib/format.py).
    fileprivate var header: [UInt8] {
        let type = switch self {
        case .floats: "<f4"
        case .integers: "<i8"
        case .text, .texts: "<U\(characterCount)"
        }
        let dimensions = shape.count == 1 ? "(\(shape[0]),)" : "(\(shape.map(String.init).joined(separator: ", ")))"
        var words = Array("{'descr': '\(type)', 'fortran_order': False, 'shape': \(dimensions), }".utf8)
        let start = [0x93] + Array("NUMPY".utf8) + [1, 0]
        words += [UInt8](repeating: UInt8(ascii: " "), count: 63 - (start.count + 2 + words.count) % 64)
        words.append(UInt8(ascii: "\n"))
        return start + [UInt8(truncatingIfNeeded: words.count), UInt8(truncatingIfNeeded: words.count >> 8)] + words
    }

    fileprivate var contents: [UInt8] {
        if case .floats(let shape, let values) = self {
            precondition(values.count == shape.reduce(1, *), "the values must fit the array's shape")
            return values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
        }
        if case .integers(let values) = self {
            return values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        }
        return strings.flatMap { text in
            let scalars = text.unicodeScalars.map(\.value)
            let padded = scalars + [UInt32](repeating: 0, count: characterCount - scalars.count)
            return padded.flatMap { scalar in (0..<4).map { UInt8(truncatingIfNeeded: scalar >> (8 * $0)) } }
        }
    }
}

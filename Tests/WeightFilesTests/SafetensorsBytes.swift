import TestSupport
import WeightFiles

/// The bytes of a safetensors file with this header and this many zero bytes of data.
func safetensors(_ header: String, dataByteCount: Int = 0) -> [UInt8] {
    safetensors(Array(header.utf8), data: [UInt8](repeating: 0, count: dataByteCount))
}

func safetensors(_ header: [UInt8], data: [UInt8] = []) -> [UInt8] {
    littleEndian(UInt64(header.count)) + header + data
}

func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// One entry of a header: `"name":{"dtype":…}`.
func tensorEntry(_ name: String, _ elementType: String, _ shape: String, _ start: Int, _ end: Int) -> String {
    "\"\(name)\":{\"dtype\":\"\(elementType)\",\"shape\":\(shape),\"data_offsets\":[\(start),\(end)]}"
}

/// An entry of one F32 element.
func tensorEntry(_ name: String, _ start: Int, _ end: Int) -> String {
    tensorEntry(name, "F32", "[1]", start, end)
}

/// What opening a file with these bytes throws, or nil where it opens.
func problemOpening(_ bytes: [UInt8]) throws -> WeightFileError.Problem? {
    let directory = try TemporaryDirectory()
    do {
        _ = try SafetensorsFile(path: directory.write(bytes, to: "hostile.safetensors"))
        return nil
    } catch let error as WeightFileError {
        return error.problem
    }
}

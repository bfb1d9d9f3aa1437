import Files
import Foundation
import Testing

import VideoData

/// Bytes of a file below `Tests/Fixtures/transforms`.
func transformFixture(_ name: String, file: String = #filePath) throws -> [UInt8] {
    let tests = file.parentDirectory.parentDirectory
    return try InputFile.contents(of: tests + "/Fixtures/transforms/" + name, limit: 1 << 20)
}

/// A folder that goes away with the value.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory().appendingPath("video-data-\(UUID().uuidString)")
        try createDirectory(path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file, creating folders on the way. Returns its path.
    @discardableResult
    func write(_ name: String, _ bytes: [UInt8] = []) throws -> String {
        let file = path.appendingPath(name)
        try createDirectory(file.parentDirectory)
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        try write(name, Array(text.utf8))
    }
}

/// The problem that `body` reports, or nil where it does not throw a `DatasetError`.
func datasetProblem(_ body: () throws -> Void) -> (problem: DatasetError.Problem, line: Int?)? {
    do {
        try body()
        return nil
    } catch let error as DatasetError {
        return (error.problem, error.line)
    } catch {
        return nil
    }
}

/// The picture of the fixtures.
func fixtureImage() throws -> VideoFrame {
    VideoFrame(width: 171, height: 128, pixels: try transformFixture("image.bin"))
}

/// A picture that is different at every place; `make.py` makes the same.
func pattern(width: Int, height: Int, shift: Int = 0) -> VideoFrame {
    var pixels: [UInt8] = []
    for y in 0..<height {
        for x in 0..<width {
            for c in 0..<3 {
                let value = x * 7 + y * 13 + c * 29 + x * y * 3 + (x * x) / 5 + shift
                pixels.append(UInt8(truncatingIfNeeded: value))
            }
        }
    }
    return VideoFrame(width: width, height: height, pixels: pixels)
}

extension VideoFrame {
    var digest: String {
        var digest = Digest()
        digest.update(pixels)
        return digest.hexadecimal
    }
}

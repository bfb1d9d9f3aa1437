import Foundation
import Glibc
import Testing
import VideoData

/// A folder that is removed with its contents at the end of a test.
final class DecodingFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "vifi-decoding-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    @discardableResult
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }
}

struct MissingProgram: Error, CustomStringConvertible {
    let name: String
    let status: Int32
    var description: String {
        status == 127
            ? "the program '\(name)' is needed by this test and not installed; run: make dependencies"
            : "'\(name)' ended with status \(status)"
    }
}

/// Runs `ffmpeg` with `arguments`, quietly. Returns what it wrote to standard output.
@discardableResult
func ffmpeg(_ arguments: [String]) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["ffmpeg", "-nostdin", "-v", "error", "-y"] + arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw MissingProgram(name: "ffmpeg", status: process.terminationStatus)
    }
    return [UInt8](data)
}

/// A moving test pattern as `lavfi` input arguments. The pattern itself only comes in even sizes.
func pattern(_ width: Int, _ height: Int, frames: Int, rate: Int = 25) -> [String] {
    let scaling = (width | height) & 1 == 0 ? "" : ",format=yuv444p,scale=\(width):\(height)"
    return ["-f", "lavfi", "-i", "testsrc2=size=\(width & ~1)x\(height & ~1):rate=\(rate)" + scaling, "-frames:v", "\(frames)"]
}

/// All frames of a file as the `ffmpeg` program decodes them: `[frames][height × width × 3]`.
func referenceFrames(_ path: String, width: Int, height: Int) throws -> [[UInt8]] {
    let bytes = try ffmpeg(["-i", path, "-map", "0:V:0", "-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
    let frameByteCount = width * height * 3
    #expect(bytes.count % frameByteCount == 0)
    return stride(from: 0, to: bytes.count, by: frameByteCount).map { Array(bytes[$0..<min($0 + frameByteCount, bytes.count)]) }
}

/// The largest difference between two pictures.
func largestDifference(_ left: [UInt8], _ right: [UInt8]) -> Int {
    guard left.count == right.count else { return 256 }
    return zip(left, right).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
}

/// Opens a file, expecting a refusal.
func refusal(_ path: String, limits: VideoLimits = VideoLimits()) -> VideoError? {
    do throws(VideoError) {
        let video = try VideoFile(path: path, limits: limits)
        Issue.record("\(path) was accepted with \(video.frameCount) frames")
        return nil
    } catch {
        return error
    }
}

/// A repeatable sequence for choosing frames and bytes.
struct TestRandom: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 29
    }
}

func readBytes(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}

func fixtureVideo(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/videos/" + name).path
}

import Files
import Foundation
import Training
import VideoData

/// Features of videos on disk: what a frozen vision tower made of them, shared by runs, seeds and methods.
///
/// A folder per way of looking (`FeatureSpace`), with a log of one line per view of a video: its key, a checksum and the
/// numbers. A line is written whole or ends at the next start, so that a pass that was killed goes on where it stopped.
package final class FeatureCache {
    package let folder: String
    private let width: Int
    /// Where the line of each key begins in the log, and its bytes.
    private let places: [String: Place]
    private let file: InputFile?
    /// Kept since the cache was opened.
    private var rows: [String: [Float]] = [:]
    /// Nil where another process writes to the folder, or where there is no room: the cache is then read only.
    private var log: AppendFile?
    private let lock: DirectoryLock?
    private let context: RunContext

    private static let logName = "features.log"
    private static let descriptionName = "space.json"
    /// Of all folders together: the one that was used longest ago goes first.
    package static let standardLimit = 2 << 30

    /// Where all of them lie.
    package static var root: String { PocketHome.dataRoot.appendingPath("features") }

    /// - Parameters:
    ///   - width: numbers of a row.
    ///   - limit: bytes on disk.
    package init(_ space: FeatureSpace, width: Int, limit: Int = FeatureCache.standardLimit, context: RunContext) throws {
        self.width = width
        self.context = context
        folder = Self.root.appendingPath(space.digest)
        try createDirectory(folder)
        let path = folder.appendingPath(Self.logName)
        lock = try? DirectoryLock(directory: folder)
        if lock == nil {
            context.note(.features(.lockedByOther(folder: folder)))
            log = nil
        } else {
            Self.makeRoom(besides: folder, limit: limit)
            do {
                if !fileExists(folder.appendingPath(Self.descriptionName)) {
                    try DurableFile.write(json(space), to: folder.appendingPath(Self.descriptionName))
                }
                log = (Self.byteCount(of: folder) < limit) ? try AppendFile(path: path) : nil
            } catch {
                // Features can be computed anew: what cannot be kept ends nothing.
                context.warning(.features(.notKept(reason: "\(error)")))
                log = nil
            }
            // The folder is used, whether or not something is added to it.
            try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: path)
        }
        // After a line that a crash cut off was ended.
        file = fileExists(path) ? try? InputFile(path: path) : nil
        places = Self.places(in: path, width: width)
    }

    /// What tells a video, or a part of one, from others, however it is called.
    static func mark(_ path: String, part: ClipPart? = nil) -> String {
        let video = (try? VideoMarks.mark(path)).map { "\($0.digest) \($0.byteCount)" } ?? "unreadable \(path)"
        return part.map { "\(video) from \($0.text)" } ?? video
    }

    /// - Parameter part: of the video, in words.
    static func key(_ mark: String, _ part: String) -> String { String(Digest.of("\(mark) \(part)").prefix(32)) }

    /// Nil where there is none, or where it is damaged: it is computed anew then.
    package func row(_ key: String) -> [Float]? {
        if let row = rows[key] { return row }
        guard let place = places[key], let line = try? file?.bytes(at: place.offset, count: place.count) else { return nil }
        return Self.row(ofLine: line, key: key, width: width)
    }

    /// Keys of the rows on disk, for whoever only wants to know what is there.
    package static func keys(_ space: FeatureSpace, width: Int) -> Set<String> {
        Set(places(in: root.appendingPath(space.digest).appendingPath(logName), width: width).keys)
    }

    package func keep(_ row: [Float], as key: String) {
        precondition(row.count == width, "a row of the cache's width")
        rows[key] = row
        guard log != nil else { return }
        let values = Self.text(of: row)
        do {
            try log?.append(line: "\(key) \(Self.checksum(key, values)) \(values)")
        } catch {
            context.warning(.features(.notKeptAnyMore(reason: "\(error)")))
            log = nil
        }
    }

    /// Puts on disk what was kept.
    package func sync() {
        do { try log?.sync() } catch { context.warning(.features(.perhapsNotKept(reason: "\(error)"))) }
    }

    // MARK: Lines

    private static func text(of row: [Float]) -> String {
        var data = Data(capacity: row.count * 4)
        for value in row { for shift in [0, 8, 16, 24] { data.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(shift))) } }
        return data.base64EncodedString()
    }

    /// Of a row on disk: its key, its checksum and its numbers in base64.
    package static func lineByteCount(width: Int) -> Int { 32 + 16 + 3 + (4 * width + 2) / 3 * 4 }

    private static func checksum(_ key: String, _ values: String) -> Substring { Digest.of(key + values).prefix(16) }

    /// - Returns: nil for a line that is torn or damaged.
    private static func row(ofLine line: [UInt8], key: String, width: Int) -> [Float]? {
        let fields = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        guard fields.count == 3, fields[0] == key, checksum(key, fields[2]) == fields[1], let data = Data(base64Encoded: fields[2]),
            data.count == 4 * width
        else { return nil }
        let values = [UInt8](data)
        return (0..<width).map { place in
            Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(values[4 * place + $1]) << UInt32(8 * $1) })
        }
    }

    private typealias Place = (offset: Int, count: Int)

    /// Where each key's line lies, of several the last; the numbers stay on disk until they are asked for.
    private static func places(in path: String, width: Int) -> [String: Place] {
        guard fileExists(path), let file = try? InputFile(path: path) else { return [:] }
        var places: [String: Place] = [:]
        let pieceByteCount = 1 << 20
        var (offset, lineStart) = (0, 0)
        var key: [UInt8] = []
        var isInKey = true
        while offset < file.byteCount, let piece = try? file.bytes(at: offset, count: min(pieceByteCount, file.byteCount - offset)) {
            for (index, byte) in piece.enumerated() {
                if byte == UInt8(ascii: "\n") {
                    let count = offset + index - lineStart
                    // What a crash cut off, or another program wrote, has another length.
                    if count + 1 == lineByteCount(width: width) { places[String(decoding: key, as: UTF8.self)] = (lineStart, count) }
                    lineStart = offset + index + 1
                    key.removeAll(keepingCapacity: true)
                    isInKey = true
                } else if isInKey {
                    // A key has 32 digits: what is longer is none.
                    if byte == UInt8(ascii: " ") || key.count > 32 { isInKey = false } else { key.append(byte) }
                }
            }
            offset += piece.count
        }
        return places
    }

    // MARK: Room

    /// A folder of features on disk.
    package struct Entry {
        package let folder: String
        package let space: FeatureSpace?
        package let byteCount: Int
        package let lastUse: Date
    }

    /// Those that are there, the newest first.
    package static func entries() -> [Entry] {
        let folders = ((try? directoryEntries(root)) ?? []).map { root.appendingPath($0) }.filter(isDirectory)
        return folders.map { folder in
            let space = (try? readJSON(FeatureSpace.self, folder.appendingPath(descriptionName))) ?? nil
            let attributes = try? FileManager.default.attributesOfItem(atPath: folder.appendingPath(logName))
            return Entry(
                folder: folder, space: space, byteCount: byteCount(of: folder),
                lastUse: attributes?[.modificationDate] as? Date ?? .distantPast)
        }.sorted { $0.lastUse > $1.lastUse }
    }

    /// Removes every folder that no process is using.
    ///
    /// - Returns: bytes that were freed.
    package static func clear() -> Int { entries().reduce(0) { $0 + remove($1) } }

    private static func remove(_ entry: Entry) -> Int {
        guard let lock = try? DirectoryLock(directory: entry.folder) else { return 0 }
        removeTree(entry.folder)
        _ = consume lock
        return entry.byteCount
    }

    private static func makeRoom(besides own: String, limit: Int) {
        let entries = entries()
        var total = entries.reduce(0) { $0 + $1.byteCount }
        for entry in entries.reversed() where entry.folder != own && total > limit { total -= remove(entry) }
    }

    private static func byteCount(of folder: String) -> Int {
        ((try? directoryEntries(folder)) ?? []).reduce(0) { sum, name in
            let size = (try? FileManager.default.attributesOfItem(atPath: folder.appendingPath(name)))?[.size] as? Int
            return sum + (size ?? 0)
        }
    }
}

/// One way of looking at videos: where any of it differs, features differ.
package struct FeatureSpace: Codable, Equatable, Sendable {
    package let backbone: String
    package let backboneSHA256: String
    /// Of the large products.
    package let precision: String
    package let frames: Int
    /// How frames are chosen and become pixels, in words.
    package let sampling: String
    package let pictures: String

    package var digest: String {
        let parts = [backboneSHA256, precision, "\(frames)", sampling, pictures, "both sides of the projection"]
        return String(Digest.of(parts.joined(separator: "\n")).prefix(32))
    }
}

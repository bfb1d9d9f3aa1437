import Files
import Foundation
import WeightFiles

/// A run's numbers as TensorBoard reads them: what `metrics.jsonl` holds, with the time of each.
///
/// The file is there with its first numbers. What cannot be written waits in memory, up to a limit; nothing depends on it,
/// and no run ends for it: a file that cannot be read again stays as it is, and gets no more numbers.
///
/// Sources: TensorFlow's `tsl/lib/io/record_writer.cc` for records, `core/util/event.proto` and
/// `core/framework/summary.proto` for what is in them.
package struct EventLog: ~Copyable {
    /// TensorBoard takes every file whose name holds `tfevents`.
    package static let name = "events.out.tfevents.vifi-prompt"

    private let path: String
    private var file: AppendFile?
    private var waiting: [[UInt8]] = []
    /// What comes after numbers that are missing would look whole, so nothing does.
    private var hasEnded = false

    /// Numbers that wait for a disk with room: some megabytes.
    private static let waitingLimit = 100_000

    /// - Parameter keptByteCount: of a log that is there, what comes after these bytes is cut off; so is a record that a crash cut
    ///   in two, behind which nothing could be read.
    package init(path: String, keeping keptByteCount: Int = .max) {
        self.path = path
        guard fileExists(path) else { return }
        do {
            let kept = try Self.wholeByteCount(of: path, upTo: keptByteCount)
            file = try AppendFile(path: path, keeping: kept, hasLines: false)
        } catch {
            hasEnded = true
        }
    }

    package var byteCount: Int {
        switch file {
        case .some(let file): file.byteCount
        case .none: 0
        }
    }

    /// - Parameter values: by name.
    package mutating func append(_ values: [(tag: String, value: Double)], step: Int, time: Date = Date()) {
        guard !hasEnded else { return }
        if byteCount == 0, waiting.isEmpty { waiting.append(Self.record(Self.start(time: time))) }
        waiting.append(Self.record(Self.event(values, step: step, time: time)))
        writeWaiting()
        guard waiting.count > Self.waitingLimit else { return }
        (waiting, hasEnded) = ([], true)
    }

    /// As much as the disk takes now.
    package mutating func writeWaiting() {
        var writtenCount = 0
        do {
            if file == nil, !waiting.isEmpty { file = try AppendFile(path: path, hasLines: false) }
            for record in waiting {
                try file?.append(record)
                writtenCount += 1
            }
        } catch {
            // The next number tries again.
        }
        waiting.removeFirst(writtenCount)
    }

    // MARK: Messages

    /// What every file begins with.
    private static func start(time: Date) -> ProtobufMessage {
        var event = ProtobufMessage()
        event.add(1, time.timeIntervalSince1970)
        event.add(3, "brain.Event:2")
        return event
    }

    /// Numbers that are none are left out: curves have gaps there.
    private static func event(_ values: [(tag: String, value: Double)], step: Int, time: Date) -> ProtobufMessage {
        var summary = ProtobufMessage()
        for (tag, value) in values where value.isFinite {
            var number = ProtobufMessage()
            number.add(1, tag)
            number.add(2, Float(value))
            summary.add(1, number)
        }
        var event = ProtobufMessage()
        event.add(1, time.timeIntervalSince1970)
        event.add(2, step)
        event.add(5, summary)
        return event
    }

    // MARK: Records

    /// Length, its checksum, the message, its checksum.
    private static func record(_ message: ProtobufMessage) -> [UInt8] {
        let length = littleEndian(UInt64(message.bytes.count))
        return length + littleEndian(masked(length)) + message.bytes + littleEndian(masked(message.bytes))
    }

    /// A checksum that is stored beside what it is of, turned so that checksums of both together say something.
    private static func masked(_ bytes: [UInt8]) -> UInt32 {
        let sum = crc32c(bytes)
        return (sum >> 15 | sum << 17) &+ 0xA282_EAD8
    }

    private static let (headerByteCount, trailerByteCount) = (12, 4)

    /// Longer records than this log's are none of its own.
    private static let recordLimit: UInt64 = 1 << 24

    /// Where the last whole record ends.
    private static func wholeByteCount(of path: String, upTo limit: Int) throws(FileError) -> Int {
        let file = try InputFile(path: path)
        let end = min(limit, file.byteCount)
        var offset = 0
        while end - offset >= headerByteCount + trailerByteCount {
            let header = try file.bytes(at: offset, count: headerByteCount)
            let length = header.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard littleEndian(masked(Array(header.prefix(8)))) == Array(header.suffix(4)),
                length <= min(recordLimit, UInt64(end - offset - headerByteCount - trailerByteCount))
            else { break }
            let body = try file.bytes(at: offset + headerByteCount, count: Int(length) + trailerByteCount)
            guard littleEndian(masked(Array(body.dropLast(trailerByteCount)))) == Array(body.suffix(trailerByteCount)) else { break }
            offset += headerByteCount + Int(length) + trailerByteCount
        }
        return offset
    }
}

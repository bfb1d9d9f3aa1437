import Files
import Foundation
import TestSupport
import Testing
import Training

/// The numbers of a run for TensorBoard, beside what TensorBoard's own writer makes (Tests/Fixtures/tensorboard/README.md).
@Suite struct EventLogTests {
    private let directory: TemporaryDirectory
    private let path: String
    private let expected: [UInt8]

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path(EventLog.name)
        expected = try InputFile.contents(of: fixturePath("tensorboard/events.bin"), limit: 1 << 20)
    }

    private func bytes() throws -> [UInt8] { try InputFile.contents(of: path, limit: 1 << 20) }
    private func time(_ seconds: Double) -> Date { Date(timeIntervalSince1970: 1_700_000_000 + seconds) }

    private func writeFirst(_ log: inout EventLog) {
        log.append([("step/loss", 2.5), ("step/learning_rate", 1e-3)], step: 1, time: time(0.25))
    }

    private func writeRest(_ log: inout EventLog) {
        log.append([("step/loss", 1.25), ("step/learning_rate", 5e-4)], step: 300, time: time(1.5))
        log.append([("epoch/val_top1", 75), ("epoch/training_loss", .nan)], step: 300, time: time(2))
    }

    @Test func theBytesOfTensorBoardsOwnWriter() throws {
        var log = EventLog(path: path)
        #expect(!fileExists(path), "a run without numbers has no file")
        writeFirst(&log)
        writeRest(&log)
        #expect(try bytes() == expected)
        #expect(log.byteCount == expected.count)
    }

    /// Steps that are taken again are in the file once, and a record that was cut in two is gone.
    @Test func aResumedRunGoesOnBehindItsCheckpoint() throws {
        var kept = 0
        do {
            var log = EventLog(path: path)
            writeFirst(&log)
            kept = log.byteCount
            log.append([("step/loss", 7)], step: 2)
        }
        // The third record was not written whole: reading on behind it is not possible.
        try directory.write(Array(bytes().dropLast(5)), to: EventLog.name)
        for keeping in [Int.max, kept + 9, kept] {
            let log = EventLog(path: path, keeping: keeping)
            #expect(log.byteCount == kept, "\(keeping)")
        }
        var log = EventLog(path: path)
        writeRest(&log)
        #expect(try bytes() == expected)
    }

    /// Of a log that no checkpoint names nothing stays: the next number begins it again.
    @Test func aRunThatStartsOverBeginsItsFileAgain() throws {
        try directory.write(Array(expected.prefix(100)), to: EventLog.name)
        var log = EventLog(path: path, keeping: 0)
        #expect(log.byteCount == 0)
        writeFirst(&log)
        writeRest(&log)
        #expect(try bytes() == expected)
    }

    /// What somebody has damaged is cut off where it begins, and no number in it asks for memory.
    @Test(arguments: [0, 3, 7, 8, 11, 20])
    func damagedFilesAreCut(_ place: Int) throws {
        var damaged = expected
        damaged[place] ^= 0x80
        try directory.write(damaged, to: EventLog.name)
        let log = EventLog(path: path)
        // All of these are in the first record: its length, the checksum of that, and what it says.
        #expect(log.byteCount == 0)
    }

    /// A folder in its place can be neither read nor written to, and is no reason to end a run.
    @Test func whatCannotBeReadEndsNoRun() throws {
        try createDirectory(path)
        var log = EventLog(path: path)
        writeFirst(&log)
        #expect(log.byteCount == 0)
        #expect(try directoryEntries(path).isEmpty)
    }
}

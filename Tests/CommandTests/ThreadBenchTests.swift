import Foundation
import TestSupport
import Testing

/// What many threads would get of a ViT-B/16's step. In a process of its own, since all that a process computes is
/// counted together; in bfloat16 where it can be had, which changes the time and not the schedule.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ThreadBenchTests {
    private struct Report: Decodable {
        struct Row: Decodable {
            let threads: Int
            let longest: Int
            let speedup: Double
            let efficiency: Double
        }

        let operations: Int
        let rows: [Row]
    }

    private func report(_ flags: String...) throws -> Report {
        let outcome = try Program().run(["bench", "threads", "--precision", "auto", "--json"] + flags)
        #expect(outcome.status == 0, "\(outcome.messages)")
        return try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    }

    /// Four clips of 16 frames, forward and back, with text tower and what only one thread can do.
    @Test func manyThreadsHaveWork() throws {
        let report = try report("--work", "learn", "--threads", "16,32")
        #expect(report.rows.map(\.threads) == [16, 32])
        #expect(report.rows[0].efficiency >= 0.9 && report.rows[1].efficiency >= 0.9, "\(report.rows)")
        for row in report.rows {
            #expect(row.efficiency <= 1 && abs(row.speedup - row.efficiency * Double(row.threads)) < 1e-6)
            #expect(row.longest * row.threads >= report.operations)
        }
    }

    /// One thread alone does all; more threads than pairs of frames have nothing for the rest.
    @Test func framesAreWhatThreadsShare() throws {
        let report = try report("--work", "predict", "--frames", "4", "--clips", "1", "--classes", "2", "--threads", "1,2,8")
        #expect(report.rows[0].longest == report.operations && report.rows[0].speedup == 1)
        #expect(report.rows[1].efficiency > 0.99 && abs(report.rows[2].speedup - report.rows[1].speedup) < 1e-9)
    }
}

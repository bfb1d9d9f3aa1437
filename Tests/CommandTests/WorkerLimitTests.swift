import Foundation
import TestSupport
import Testing
import VideoData

/// What the machine does not grant is no fault of a video: the answer is right, or the command ends and says what it lacks.
@Suite(.serialized) struct WorkerLimitTests {
    /// Forty sound videos and one that is broken.
    private func videos() throws -> Program {
        let program = try Program.withVideos()
        var list = ""
        for index in 0..<40 { list += "video\(index % 10).mp4 \(index % 5)\n" }
        try program.folder.write("nonsense", to: "broken.mp4")
        try program.folder.write(list + "broken.mp4 0\n", to: "many.txt")
        return program
    }

    private static let reasons = ["files open at once", "not enough memory", "no more processes", "did not run"]

    private func expectRightOrReason(_ outcome: Program.Outcome, _ command: String, right: String) {
        if outcome.status == 65 {
            #expect(outcome.output.contains(right), "\(command): \(outcome.output)\(outcome.messages)")
        } else {
            #expect(outcome.status == 69 && Self.reasons.contains(where: outcome.messages.contains), "\(command): \(outcome.status) \(outcome.messages)")
        }
    }

    @Test(arguments: [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 24, 40, 64, 1024])
    func descriptors(_ limit: Int) throws {
        let program = try videos()
        let command = "ulimit -n \(limit); vifi-prompt data check many.txt --threads 32"
        let outcome = try program.shell(command)
        expectRightOrReason(outcome, command, right: "41 videos, 1 broken, 0 odd")
        if limit >= 16 { #expect(outcome.status == 65, "\(outcome.messages)") }
        if limit == 1024 || limit == 24 {
            // What is good is written, all of it.
            let outcome = try program.shell("ulimit -n \(limit); vifi-prompt data check many.txt --threads 32 --write-good good.txt --force")
            #expect(outcome.status == 65, "\(outcome.messages)")
            #expect(try String(contentsOfFile: program.folder.path("good.txt"), encoding: .utf8).split(separator: "\n").count == 40)
        }
    }

    @Test(arguments: [8, 9, 10, 11, 12, 13, 14, 16, 20, 30])
    func isolatedPrediction(_ limit: Int) throws {
        let program = try videos()
        let prompts = try SmallModel().write(to: program).prompts
        let command = "ulimit -n \(limit); vifi-prompt predict video0.mp4 broken.mp4 --prompts \(prompts) --isolate --json"
        let outcome = try program.shell(command)
        expectRightOrReason(outcome, command, right: "\"video\":\"video0.mp4\"")
        if limit >= 16 { #expect(outcome.status == 65, "\(outcome.messages)") }
    }

    /// Of a user that nobody else is. The limit counts threads, and does not bind root.
    @Test(.enabled(if: getuid() == 0, "needs root, to be another user"), arguments: [1, 2, 3, 4, 6, 10, 20])
    func processes(_ limit: Int) throws {
        let program = try videos()
        let user = 40_000 + Int.random(in: 0..<20_000)
        chmod(program.folder.path, 0o777)
        for (command, right) in [
            ("vifi-prompt data check many.txt --threads 16", "41 videos, 1 broken, 0 odd"),
            ("vifi-prompt predict video0.mp4 broken.mp4 --prompts \(try SmallModel().write(to: program).prompts) --isolate --threads 4 --json", "\"video\":\"video0.mp4\""),
        ] {
            let line = "timeout -s KILL 120 setpriv --reuid=\(user) --regid=\(user) --clear-groups bash -c 'ulimit -u \(limit); OPENBLAS_NUM_THREADS=1 exec \(command)'"
            expectRightOrReason(try program.shell(line), line, right: right)
        }
    }

    /// Where the last threads just fit, nothing is left for those that run: on two processors from 998,000 to 1,002,000
    /// kilobytes nearly every run was ended by a signal.
    @Test(arguments: [400_000, 600_000, 800_000, 900_000, 998_500, 999_500, 1_000_000, 1_000_500, 1_100_000, 1_500_000, 2_500_000])
    func memory(_ kilobytes: Int) throws {
        let program = try videos()
        let command = "ulimit -v \(kilobytes); OPENBLAS_NUM_THREADS=1 vifi-prompt data check many.txt --threads 64"
        expectRightOrReason(try program.shell(command), command, right: "41 videos, 1 broken, 0 odd")
    }
}

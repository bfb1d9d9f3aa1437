import Experiments
import Files
import Foundation
import Testing
import VideoData

/// V16: the decoder dies, the check goes on.
@Suite struct VideoCheckWorkerTests {
    /// Answers as a worker does, and dies where a video's name says so.
    private static let script = """
        echo '"ready"'
        while read -r line; do
            case $line in
                *segfault*) kill -SEGV $$ ;;
                *abort*) exit 3 ;;
                *odd*) echo '{"oddities":["strange"]}' ;;
                *) echo '{"oddities":[]}' ;;
            esac
        done
        """

    @Test func crashesCostOneVideo() throws {
        let workers = VideoCheckWorkers(program: "/bin/sh", arguments: ["-c", Self.script])
        let names = ["a.mp4", "segfault.mp4", "odd.mp4", "abort \"quoted\".mp4", "b.mp4", "segfault.mp4"]
        let checks = try names.enumerated().map { try workers.check($1, index: $0) }
        #expect(checks.map(\.index) == Array(names.indices))
        #expect(
            checks.map(\.fault) == [
                nil, "segfault.mp4: the decoder crashed on it (signal 11). Convert it: ffmpeg -i IN OUT.mp4", nil,
                "abort \"quoted\".mp4: the decoder crashed on it (status 3). Convert it: ffmpeg -i IN OUT.mp4", nil,
                "segfault.mp4: the decoder crashed on it (signal 11). Convert it: ffmpeg -i IN OUT.mp4",
            ])
        #expect(checks[2].oddities == ["strange"])
    }

    @Test func withoutProcessesVideosAreLookedAtHere() throws {
        let workers = VideoCheckWorkers(program: "/nowhere/at/all")
        #expect(try workers.check("/none.mp4", index: 4).fault == "/none.mp4: no such file. Check the path.")
    }

    /// What ends a worker before it says that it runs, or kills it from outside, is no video's fault.
    @Test(arguments: ["exit 127", "kill -INT $$", "echo '\"ready\"'; read line; kill -KILL $$"])
    func whatTheMachineDoesCostsNoVideo(_ script: String) {
        let workers = VideoCheckWorkers(program: "/bin/sh", arguments: ["-c", script])
        let error = #expect(throws: MachineShortage.self) { try workers.check("a.mp4", index: 0) }
        #expect(error?.exitStatus == .unavailable && error?.description.contains("The videos are not at fault") == true)
    }

    @Test func aWorkerThatRestsIsGivenUp() throws {
        let workers = VideoCheckWorkers(program: "/bin/sh", arguments: ["-c", "echo '\"ready\"'; read line; sleep 60"], patience: 0.5)
        #expect(try workers.check("a.mp4", index: 0).fault == "a.mp4: the decoder crashed on it (it did not answer). Convert it: ffmpeg -i IN OUT.mp4")
    }

    /// One that computes is waited for; what it may compute is bounded by its own limit on processor time.
    @Test func aWorkerThatComputesIsWaitedFor() throws {
        let script = "echo '\"ready\"'; read line; i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; echo '{\"oddities\":[\"slow\"]}'"
        let workers = VideoCheckWorkers(program: "/bin/sh", arguments: ["-c", script], patience: 0.2)
        #expect(try workers.check("a.mp4", index: 0).oddities == ["slow"])
    }

    /// The pipes of one worker are closed in the next: the first one's end is seen although the second still runs.
    @Test func workersDoNotHoldEachOthersPipes() throws {
        let workers = VideoCheckWorkers(program: "/bin/sh", arguments: ["-c", Self.script])
        let names = ["a.mp4", "segfault.mp4", "b.mp4", "abort.mp4"]
        for _ in 0..<10 {
            let checks = Prefetcher(count: 4, threadCount: 4, capacity: 4) { try workers.check(names[$0], index: $0).fault != nil }
            #expect(try (0..<4).map { _ in try checks.next() } == [false, true, false, true])
        }
    }
}

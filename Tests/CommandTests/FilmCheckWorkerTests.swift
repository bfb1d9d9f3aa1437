import Foundation
import Testing
import VideoData
import vifi_prompt

/// V16: the decoder dies, the check goes on.
@Suite struct FilmCheckWorkerTests {
    /// Answers as a worker does, and dies where a film's name says so.
    private static let script = """
        while read -r line; do
            case $line in
                *segfault*) kill -SEGV $$ ;;
                *abort*) exit 3 ;;
                *odd*) echo '{"oddities":["strange"]}' ;;
                *) echo '{"oddities":[]}' ;;
            esac
        done
        """

    @Test func crashesCostOneFilm() {
        let workers = FilmCheckWorkers(program: "/bin/sh", arguments: ["-c", Self.script])
        let names = ["a.mp4", "segfault.mp4", "odd.mp4", "abort \"quoted\".mp4", "b.mp4", "segfault.mp4"]
        let checks = names.enumerated().map { workers.check($1, index: $0) }
        #expect(checks.map(\.index) == Array(names.indices))
        #expect(
            checks.map(\.fault) == [
                nil, "segfault.mp4: the decoder crashed on it (signal 11). Convert it: ffmpeg -i IN OUT.mp4", nil,
                "abort \"quoted\".mp4: the decoder crashed on it (status 3). Convert it: ffmpeg -i IN OUT.mp4", nil,
                "segfault.mp4: the decoder crashed on it (signal 11). Convert it: ffmpeg -i IN OUT.mp4",
            ])
        #expect(checks[2].oddities == ["strange"])
    }

    @Test func withoutProcessesFilmsAreLookedAtHere() {
        let workers = FilmCheckWorkers(program: "/nowhere/at/all")
        #expect(workers.check("/none.mp4", index: 4).fault == "/none.mp4: no such file. Check the path.")
    }
}

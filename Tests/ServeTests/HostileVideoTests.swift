import Foundation
import TestSupport
import Testing

/// Videos that somebody has tampered with, sent as fast as the server takes them.
///
///     VIFI_PROMPT_HOSTILE_VIDEOS=1000 swift test -c release --skip-build --filter HostileVideoTests
///
/// makes the figures of docs/serve.md; without the variable there are 60.
@Suite struct HostileVideoTests {
    /// What a server holds.
    private struct Holdings {
        let files: Int
        let processes: Int
        /// Of the server itself, in KiB.
        let memory: Int

        init(_ server: RunningServer) {
            files = server.openFiles
            processes = server.workers.count
            memory = RunningServer.residentKibibytes(server.process.processIdentifier)
        }

        var text: String { "\(memory / 1024) MiB, \(files) open files, \(processes) workers" }
    }

    @Test func theServerOutlivesThem() throws {
        let count = ProcessInfo.processInfo.environment["VIFI_PROMPT_HOSTILE_VIDEOS"].flatMap { Int($0) } ?? 60
        let program = try Program()
        let server = try RunningServer.start(in: program)
        let client = server.client
        let path = "/v1/predict?classes=\(ServedVideos.classNames.joined(separator: ",").percentEncoded)"
        let sound = ServedVideos.all[0].bytes
        let expected = try client.post(path, sound).text
        let before = Holdings(server)

        var mutator = Mutator(seeds: ServedVideos.all.map { [UInt8]($0.bytes) }, state: 7)
        let bodies = (0..<count).map { _ in Data(mutator.next()) }
        let outcomes = Outcomes()
        // More at a time than the server lets wait, so that it refuses some for the moment, too.
        let clients = OperationQueue()
        clients.maxConcurrentOperationCount = 32
        for (index, body) in bodies.enumerated() {
            clients.addOperation { outcomes.note((try? client.post(index % 3 == 0 ? path + "&window=500ms" : path, body).status) ?? 0) }
        }
        var peak = before.memory
        while clients.operationCount > 0 {
            peak = max(peak, RunningServer.residentKibibytes(server.process.processIdentifier))
            usleep(100_000)
        }
        // Each is answered, as a video, as none, or as one too many.
        #expect(Set(outcomes.counts.keys).isSubset(of: [200, 422, 503]), "\(outcomes.counts)")
        #expect(outcomes.counts.values.reduce(0, +) == count)
        #expect(outcomes.counts[422] ?? 0 > 0)

        let deadline = Date(timeIntervalSinceNow: 30)
        while server.openFiles > before.files + 4 * 8, Date() < deadline { usleep(200_000) }
        let after = Holdings(server)
        // Decoders that wait for the next video stay, with their pipes.
        #expect(after.files <= before.files + 4 * 8)
        #expect(after.memory <= before.memory + 128 * 1024, "\(before.text), then \(after.text)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: program.folder.path("runs/serve/uploads")).isEmpty)
        #expect(try client.post(path, sound).text == expected)
        if count > 60 {
            print("\(count) videos: \(outcomes.counts.sorted { $0.key < $1.key }). Before: \(before.text). At most \(peak / 1024) MiB. After: \(after.text).")
        }
        #expect(server.stop() == 0)
    }
}

/// How often each status was answered.
private final class Outcomes: @unchecked Sendable {
    private let lock = NSLock()
    private var held: [Int: Int] = [:]

    func note(_ status: Int) { lock.withLock { held[status, default: 0] += 1 } }
    var counts: [Int: Int] { lock.withLock { held } }
}

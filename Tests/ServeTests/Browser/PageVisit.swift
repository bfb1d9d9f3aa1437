import Foundation
import TestSupport
import Testing

/// A server of its own, and its page.
final class PageVisit {
    struct Clip {
        let label: String
        let path: String

        var name: String { (path as NSString).lastPathComponent }
    }

    let server: RunningServer
    let page: BrowserPage
    /// Four videos each of three classes, named after these: `clapping-while-jumping_0.mp4`.
    let clips: [Clip]

    init(_ arguments: [String] = []) throws {
        let program = try Program()
        clips = try ServedVideos.all.enumerated().map { number, video in
            let path = program.folder.path("\(video.label.replacing(" ", with: "-"))_\(number).mp4")
            try video.bytes.write(to: URL(fileURLWithPath: path))
            return Clip(label: video.label, path: path)
        }
        server = try RunningServer.start(in: program, arguments)
        page = try BrowserPage(Browser(), arguments.isEmpty ? server.url : server.address)
    }

    /// Adds the first of the videos, and classes that have none of them yet.
    func unsortedClips(_ count: Int, classes: [String]) throws {
        try page.setFiles("#files", clips.prefix(count).map(\.path))
        try page.wait(forCount: count, of: "#unsorted .clip")
        try page.click("#new-class")
        try page.type(classes.joined(separator: ", "))
        try page.press("Enter")
        try page.wait(forCount: classes.count, of: "#columns .column")
    }

    /// Adds the pocket world's videos and sorts them as their names suggest.
    func sortedClips() throws {
        try page.setFiles("#files", clips.map(\.path))
        try page.waitToSee("#use-suggestion")
        try page.wait(forCount: clips.count, of: "#board .clip")
        // What lies beneath the list of uploads moves when it goes.
        try page.wait(for: "document.querySelector('#uploads').childElementCount === 0")
        try page.click("#use-suggestion")
        try page.wait(forCount: clips.count, of: "#columns .clip")
    }

    /// Learns from these, and waits for the result.
    func learned() throws {
        try sortedClips()
        try page.click("#learn-button")
        try page.waitToSee("#verdict", seconds: 240)
    }

    /// What the server says at a path, as JSON.
    func json(_ path: String) throws -> [String: Any] {
        try page.evaluate("fetch('\(path)').then(answer => answer.json())") as? [String: Any] ?? [:]
    }

    /// The open data set.
    func openSet() throws -> [String: Any] {
        let id = try #require(try page.evaluate("document.querySelector('#data-set').value") as? String)
        return try json("/v1/datasets/\(id)")
    }

    /// Asks the server about a clip of the open data set, by what answers on the page.
    func storedQuery(of clip: Clip) throws -> String {
        let set = try openSet()
        let prompts = try #require(try page.evaluate("document.querySelector('#try-prompts').value") as? String)
        let id = try #require((set["clips"] as? [[String: Any]])?.first { $0["name"] as? String == clip.name }?["id"] as? String)
        return "/v1/predict?data_set=\(set["id"] ?? "")&clip=\(id)&prompts=\(prompts)"
    }

    /// Nothing was wrong but what the test brought about.
    func expectNoProblems(but expected: String? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
        let problems = page.takeProblems().filter { problem in expected.map { !problem.contains($0) } ?? true }
        #expect(problems.isEmpty, sourceLocation: sourceLocation)
    }
}

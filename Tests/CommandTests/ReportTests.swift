import Files
import Foundation
#if canImport(FoundationXML)
import FoundationXML
#endif
import TestSupport
import Testing
import VideoData

/// `report` on small folders: what stands in the page, and what is refused.
@Suite(.serialized) struct ReportTests {
    private let program: Program

    init() throws { program = try Program.withVideos() }

    private func text(_ name: String) throws -> String { try String(contentsOfFile: program.folder.path(name), encoding: .utf8) }
    private func write(_ text: String, to name: String) throws {
        try createDirectory(program.folder.path(name).parentDirectory)
        try program.folder.write(text, to: name)
    }

    private func run(_ words: String...) throws {
        let outcome = try program.run(words)
        #expect(outcome.status == 0, "\(outcome.messages)")
    }

    /// Two seeds of a run, and an evaluation of the first one's prompts.
    private func work(labels: String = "labels.csv") throws {
        try run(
            "learn", "--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", labels, "--backbone", "clip.safetensors", "--frames", "2", "--epochs", "2",
            "--seeds", "1,2", "--output", "runs/seeds")
        try run(
            "evaluate", "list", "--val", "list.txt", "--labels", labels, "--backbone", "clip.safetensors", "--frames", "2", "--prompts",
            "runs/seeds/seed1/prompts/last.safetensors", "--output", "runs/eval")
    }

    /// The page as XML; elements by name, with their attributes.
    private final class Page: NSObject, XMLParserDelegate {
        var elements: [(name: String, attributes: [String: String])] = []
        var words = ""
        private(set) var fault: String?

        init(_ html: String) {
            super.init()
            let parser = XMLParser(data: Data(html.replacing("<!DOCTYPE html>\n", with: "").utf8))
            parser.delegate = self
            if !parser.parse() { fault = "line \(parser.lineNumber): \(parser.parserError.map { "\($0)" } ?? "")" }
        }

        func parser(_: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?, attributes: [String: String]) {
            elements.append((name, attributes))
        }

        func parser(_: XMLParser, foundCharacters string: String) { words += string }

        func all(_ name: String) -> [[String: String]] { elements.filter { $0.name == name }.map(\.attributes) }
    }

    /// Well formed, closed in itself, with every name once.
    private func page(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> Page {
        let html = try text(name)
        let page = Page(html)
        #expect(page.fault == nil, sourceLocation: sourceLocation)
        for (element, attributes) in page.elements {
            for (attribute, value) in attributes where ["src", "href", "data", "action", "srcset", "style"].contains(attribute) {
                // Links to videos of this machine are followed by a click alone.
                let isOfVideo = element == "a" && value.hasPrefix("file:///")
                #expect(value.hasPrefix("data:") || value.hasPrefix("#") || isOfVideo, "\(element) \(attribute)=\(value.prefix(60))", sourceLocation: sourceLocation)
            }
            #expect(!attributes.keys.contains { $0.hasPrefix("on") }, sourceLocation: sourceLocation)
        }
        #expect(page.all("link").isEmpty && page.all("script").count == 1 && page.all("script")[0].isEmpty, sourceLocation: sourceLocation)
        #expect(!html.contains("url(") && !html.contains("@import"), sourceLocation: sourceLocation)
        let ids = page.elements.compactMap { $0.attributes["id"] }
        #expect(Set(ids).count == ids.count, sourceLocation: sourceLocation)
        return page
    }

    @Test func runsAndEvaluationsStandInOnePage() throws {
        try work()
        let outcome = try program("report", "runs", "-o", "out/page.html", "--title", "Two seeds & more")
        #expect(outcome.status == 0 && outcome.output == "out/page.html\n", "\(outcome.messages)")
        let page = try page("out/page.html")
        let json = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: program.folder.path("runs/eval/evaluation.json")))) as? [String: Any])
        let model = try #require(json["model"] as? [String: Any])
        let digests = [json["list_sha256"], model["backbone_sha256"], model["prompts_sha256"]].compactMap { $0 as? String }
        #expect(digests.count == 3)
        for words in digests + [
            "Two seeds & more", "seeds/seed1", "training.seed", "What differs between runs", "mean ± deviation of the sample", "clapping",
            "taken for", "peak memory", "No number of the paper stands beside",
        ] { #expect(page.words.contains(words), "\(words)") }
        // Own videos have no place in the paper's tables.
        #expect(!page.words.contains("Paper, table"))
        // Two seeds differ in the seed alone.
        #expect(page.all("tr").count { $0["class"] == "differs" } == 1)
        #expect(!page.all("tr").contains { $0["class"] == "ours" })
        #expect(page.all("img").contains { $0["src"]?.hasPrefix("data:image/svg+xml;base64,") == true })
        #expect(page.all("img").contains { $0["src"]?.hasPrefix("data:image/png;base64,") == true })
        #expect(page.all("img").allSatisfy { $0["alt"]?.isEmpty == false })
        #expect(!page.words.contains("pocket world"))
        // Videos can be opened from where they were taken for something else.
        let videos = page.all("a").compactMap { $0["href"] }.filter { $0.hasPrefix("file:") }.compactMap { URL(string: $0)?.path }
        #expect(!videos.isEmpty && videos.allSatisfy { $0.hasSuffix(".mp4") && FileManager.default.fileExists(atPath: $0) }, "\(videos)")

        // Nothing is replaced unasked; the same folders give the same page.
        #expect(try program("report", "runs", "-o", "out/page.html").status == 74)
        let before = try text("out/page.html")
        try run("report", "runs", "-o", "out/page.html", "--title", "Two seeds & more", "--force", "--open-nothing")
        #expect(try text("out/page.html") == before)
    }

    @Test func namesFromFilesStayText() throws {
        try write("id,name\n0,<script>alert(1)</script>\n1,\"a\"\"b & c\"\n2,]]>\n3,\u{202E}x\n4,'quoted'\n", to: "hostile.csv")
        try work(labels: "hostile.csv")
        let name = "<img src=x onerror=alert(2)>"
        try FileManager.default.moveItem(atPath: program.folder.path("runs/eval"), toPath: program.folder.path("runs/" + name))
        try run("report", "runs", "-o", "page.html", "--title", "</title><script>alert(3)</script>")
        let page = try page("page.html")
        #expect(page.words.contains("<script>alert(1)</script>") && page.words.contains(name))
        #expect(page.words.contains("a\"b & c") && page.words.contains("\\u{202e}x"))
        #expect(try !text("page.html").contains("<script>alert"))
    }

    @Test func videosThatAreGoneAreNamed() throws {
        try work()
        for video in 0..<9 { try FileManager.default.removeItem(atPath: program.folder.path("video\(video).mp4")) }
        try write("no video", to: "video9.mp4")
        try run("report", "runs/eval", "-o", "page.html")
        let page = try page("page.html")
        #expect(page.words.contains("The video is not there any more"))
        try run("report", "runs/eval", "-o", "few.html", "--videos", "1")
        #expect(try self.page("few.html").words.contains("1 of "))
    }

    @Test func mapsAndLayoutsAreMade() throws {
        try work()
        try run("report", "runs/eval", "-o", "page.html", "--attention", "2", "--tsne", "--backbone", "clip.safetensors")
        let page = try page("page.html")
        #expect(page.words.contains("relevance in the last block for the class that it was taken for"))
        #expect(page.words.contains("V-measure") && page.words.contains("10 videos of 5 classes"))
        // Another backbone would explain nothing.
        try SmallModel(seed: 9).backbone.save(to: program.folder.path("other.safetensors"))
        #expect(try program("report", "runs/eval", "-o", "x.html", "--attention", "1", "--backbone", "other.safetensors").status != 0)
        #expect(try program("report", "runs/seeds", "-o", "x.html", "--attention", "1").status == 66)
        #expect(!FileManager.default.fileExists(atPath: program.folder.path("x.html")))
    }

    @Test func damagedFilesAreNamed() throws {
        try work()
        func refused(_ file: String, _ contents: String, status: Int32 = 65, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation) throws {
            let whole = try text(file)
            try write(contents, to: file)
            let outcome = try program("report", "runs", "-o", "x.html")
            #expect(outcome.status == status, "\(outcome.messages)", sourceLocation: sourceLocation)
            for word in [file] + words { #expect(outcome.messages.contains(word), "\(outcome.messages)", sourceLocation: sourceLocation) }
            #expect(!FileManager.default.fileExists(atPath: program.folder.path("x.html")), sourceLocation: sourceLocation)
            try write(whole, to: file)
        }
        let record = try text("runs/eval/evaluation.json")
        try refused("runs/eval/evaluation.json", String(record.prefix(200)), "cut off")
        try refused("runs/eval/evaluation.json", record.replacing("\"top1\"", with: "\"top_one\""), "key top1", "missing")
        try refused("runs/eval/per_class.csv", "class,videos\nx,1\n", "line 1")
        let classes = try text("runs/eval/per_class.csv")
        try refused("runs/eval/per_class.csv", classes.replacing("waving,2", with: "waving,-2"), "line 2", "no counts")
        try refused("runs/eval/per_class.csv", classes.replacing("waving,2", with: "waving,3"), "evaluation.json says 10")
        try refused("runs/eval/confusion.csv", "truth,a\nb,1\n", "line 2")
        let videos = try text("runs/eval/predictions.jsonl")
        try refused("runs/eval/predictions.jsonl", String(videos.dropLast(20)), "line 10")
        try refused("runs/eval/predictions.jsonl", videos.split(separator: "\n").dropLast().joined(separator: "\n"), "9 of 10 videos")
        try refused("runs/seeds/seed1/finished.json", "[]", "finished.json")
        try refused("runs/seeds/seed1/config.yaml", "a: [", status: 78, "config.yaml")
        let log = try text("runs/seeds/seed1/metrics.jsonl")
        try refused("runs/seeds/seed1/metrics.jsonl", "nonsense\n" + log, "line 1")
        // Larger than any of ours.
        let huge = program.folder.path("runs/eval/evaluation.json")
        truncate(huge, 1 << 40)
        #expect(try program("report", "runs", "-o", "x.html").status == 65)
    }

    @Test func emptyAndMissingFolders() throws {
        try createDirectory(program.folder.path("empty/inside"))
        let outcome = try program("report", "empty", "-o", "x.html")
        #expect(outcome.status == 66 && outcome.messages.contains("empty: holds nothing to report on"), "\(outcome.messages)")
        #expect(try program("report", "nowhere", "-o", "x.html").status == 66)
        #expect(try program("report", "list.txt", "-o", "x.html").status == 66)
        #expect(try program("report", "empty", "-o", "x.pdf").status == 64)
        #expect(try program("report", "empty", "--videos", "-1").status == 64)
    }

    /// A grid, a retrieval and a layout, as their commands leave them, and a picture that wants to run.
    @Test func othersAreKnownByTheirFiles() throws {
        try write("[]", to: "all/grid/grid.json")
        try write(
            #"{"axis":"tokens","cells":[{"command":"learn","folder":"a","measures":[{"deviation":1.26,"mean":61.5,"name":"last_top1","values":[60,63]}],"name":"4 tokens","seconds":12,"seeds":[1,2],"settings":["prompts.text_tokens=4"]}],"grid":"fusion","is_finished":false,"title":"Tokens"}"#,
            to: "all/grid/summary.json")
        try write("<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>", to: "all/grid/chart.svg")
        let direction = #"{"mean_rank":2,"median_rank":1,"queries":4,"r1":50,"r10":100,"r5":75,"tied":0}"#
        try write(
            #"{"backbone":"b","backbone_sha256":"d","captions":4,"compat":"","frames":2,"list":"l.csv","list_sha256":"e","metrics":{"text_to_video":\#(direction),"video_to_text":\#(direction)},"protocol":"retrieval","skipped_videos":0,"template":"{}","videos":4}"#,
            to: "all/retrieval/metrics.json")
        let agreement = #"{"completeness":0.5,"homogeneity":0.5,"v_measure":0.5}"#
        try write(
            #"{"backbone":"b","backbone_sha256":"d","class_list_sha256":"c","clusters":2,"divergence":0.5,"embedding":\#(agreement),"videos":4,"frames":2,"iterations":1000,"list":"l.txt","method":"exact","perplexity":2,"plane":\#(agreement),"seed":1}"#,
            to: "all/tsne/metrics.json")
        try write("<svg xmlns=\"http://www.w3.org/2000/svg\"/>", to: "all/tsne/tsne.svg")
        try run("report", "all", "-o", "page.html")
        let page = try page("page.html")
        for words in ["61.5 ± 1.3", "4 tokens", "Not all cells are finished", "median rank", "V-measure", "No number of the paper stands beside grid, retrieval"] {
            #expect(page.words.contains(words), "\(words)")
        }
        #expect(!page.words.contains("Paper, table"))
        #expect(page.all("img").count { $0["src"]?.hasPrefix("data:image/svg") == true } == 2)
        try write("#!/bin/sh", to: "all/tsne/video-attention.png")
        #expect(try program("report", "all", "-o", "y.html").status == 65)
    }
}

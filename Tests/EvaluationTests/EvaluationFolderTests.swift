import Evaluation
import Files
import Foundation
import TestSupport
import Testing
import VideoData

/// The files that an evaluation leaves.
@Suite struct EvaluationFolderTests {
    private let folder: TemporaryDirectory
    private let place: EvaluationFolder
    private let classes = ClassNames(["plain", "with, comma", "with \"quotes\""])

    init() throws {
        folder = try TemporaryDirectory()
        place = EvaluationFolder(folder.path("out"))
    }

    private func write(_ labels: [Int]) throws -> EvaluationRecord {
        let predictions = labels.enumerated().map { Prediction(path: "videos/\($0).mp4", label: $1, probabilities: [0.5, 0.25, 0.25]) }
        let metrics = ClassificationMetrics(predictions: predictions, classNames: classes.names)
        let record = EvaluationRecord(
            evaluationProtocol: "list", list: "val.txt", root: "videos", listSha256: "a1", classListSha256: classes.digest, listed: labels.count + 1,
            unreadable: ["videos/bad.mp4"],
            model: .init(backbone: "clip", backboneSha256: "b2", prompts: nil, promptsSha256: nil),
            setting: .init(
                template: "{}", frames: 8, views: "4x3", fusion: "embedding", normalization: "clip", precision: "fp32", compat: "none", seed: 1),
            metrics: metrics, seconds: 2, version: "1")
        try place.write(record, metrics: metrics, predictions: predictions, classes: classes)
        return record
    }

    private func text(_ name: String) throws -> String { try String(contentsOfFile: folder.path("out/\(name)"), encoding: .utf8) }

    @Test func tablesAreCSV() throws {
        _ = try write([0, 1, 1])
        #expect(
            try text("per_class.csv") == """
                class,videos,correct,top1,precision,recall,f1
                plain,1,1,100.0,33.333333333333336,100.0,50.0
                "with, comma",2,0,0.0,,0.0,0.0
                "with ""quotes""\",0,0,,,,

                """)
        #expect(
            try text("confusion.csv") == """
                truth,plain,"with, comma","with ""quotes""\"
                plain,1,0,0
                "with, comma",2,0,0
                "with ""quotes""\",0,0,0

                """)
    }

    @Test func everyVideoHasItsLine() throws {
        _ = try write([0, 2])
        let lines = try text("predictions.jsonl").split(separator: "\n")
        #expect(lines.count == 2)
        let video = try #require(try JSONSerialization.jsonObject(with: Data(lines[1].utf8)) as? [String: Any])
        #expect(video["video"] as? String == "videos/1.mp4")
        #expect(video["label"] as? Int == 2 && video["class"] as? String == "with \"quotes\"")
        #expect(video["predicted"] as? Int == 0 && video["predicted_class"] as? String == "plain")
        #expect(video["probability"] as? Double == 0.5 && video["rank"] as? Int == 3)
        let top = try #require(video["top"] as? [[String: Any]])
        #expect(top.map { $0["label"] as? Int } == [0, 1, 2] && top[1]["class"] as? String == "with, comma")
    }

    @Test func recordsComeBack() throws {
        #expect(try place.record() == nil)
        let record = try write([0, 1])
        #expect(try place.record() == record)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(try text("evaluation.json").utf8)) as? [String: Any])
        #expect(json["protocol"] as? String == "list" && json["list_sha256"] as? String == "a1")
        #expect(json["mean_class_accuracy"] as? Double == 50 && json["macro_f1"] as? Double != nil)
        #expect((json["setting"] as? [String: Any])?["views"] as? String == "4x3")
        // Another evaluation takes its place.
        let other = try write([2])
        let found = try place.record()
        #expect(other != record && found == other)
        try folder.write("{}", to: "out/evaluation.json")
        #expect(throws: FileError.self) { try place.record() }
    }
}

import ArgumentParser
import CLIPModel
import Evaluation
import Files
import Foundation
import Tensors
import Training
import VideoData

struct PredictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "Names what happens in films.",
        discussion: """
              vifi-prompt predict CLIP.mp4 --prompts runs/learn/prompts/best.safetensors
              vifi-prompt predict *.mp4 --labels labels.csv --backbone clip.safetensors --top 3 --json

            Classes are those of --labels, else the prompt file's, else the pocket world's.
            """)

    @Argument(help: ArgumentHelp("Films of any kind that FFmpeg reads.", valueName: "film"))
    var films: [String]

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Prompts") var prompts: PromptOptions
    @Option(help: ArgumentHelp("Class names: CSV with the header `id,name`.", valueName: "csv"))
    var labels: String?
    @Option(help: ArgumentHelp("Words around a class name where no text prompts are learned, with {} in its place.", valueName: "words"))
    var template: String?
    @Option(help: "Classes to show of each film.")
    var top = 5
    @Option(help: "Frames of each film; as many as the prompts were learned with by default.")
    var frames: Int?
    @Flag(help: "One JSON object a film, each on its line.")
    var json = false

    func validate() throws {
        guard top >= 1 else { throw ValidationError("--top is \(top); at least 1.") }
        if let frames, !(1...1024).contains(frames) { throw ValidationError("--frames is \(frames); 1 to 1024 make sense.") }
    }

    /// Every readable film is answered; those that are not are told, and decide the exit status.
    func run() throws {
        let pool = model.pool
        let subject = try Subject(
            prompts: prompts.prompts, backbone: model.backbone, vocabulary: model.vocabulary,
            activation: model.activation, anyBackbone: prompts.anyBackbone, precision: model.precision)
        let names = try classNames(subject)
        let classifier = try subject.classifier(
            classNames: names, template: template, fusion: nil, frameCount: frames, pool: pool)
        var configuration = ClipTransform.Configuration()
        configuration.normalisation = Normalisation(subject.normalisation)
        let transform = ClipTransform.testing(side: subject.backbone.architecture.imagePixels, configuration)
        var reader = VideoFileReader()
        reader.report = { path, warnings in
            for warning in warnings { Console.warning("\(path.escapedForDisplay): \(warning)") }
        }
        let sampler = FrameSampler(sampleCount: classifier.frameCount)
        let prepare: @Sendable (Int) -> Result<PreparedClip?, any Error> = { [films, reader] index in
            Result {
                let frames = try reader.frames(
                    of: films[index], choosing: { sampler.testIndices(frameCount: $0) }, converting: transform.shrunk)
                return transform.clips(from: frames, key: ClipKey(seed: 1, epoch: 0, clip: index)).first
            }
        }
        let clips = Prefetcher(count: films.count, threadCount: 1, capacity: 4, make: prepare)
        var failures: [any Error] = []
        for film in films {
            guard let outcome = try clips.next() else { break }
            switch outcome {
            case .success(let clip?):
                show(film, probabilities: softmax(of: try classifier.logits(clips: [clip.matrix])[0]), names: names)
            case .success(nil):
                break
            case .failure(let error):
                failures.append(error)
                if films.count > 1 { Console.error((error as? any ReportableError)?.description ?? "\(error)") }
            }
        }
        if let first = failures.first {
            if films.count == 1 { throw first }
            throw PredictionFailure(
                failed: failures.count, total: films.count, status: (first as? any ReportableError)?.exitStatus ?? .software)
        }
    }

    private func classNames(_ subject: Subject) throws -> [String] {
        if let labels {
            let classes = try ClassNames.read(labels)
            for warning in classes.warnings { Console.warning(warning.description) }
            return classes.names
        }
        if let header = subject.prompts?.header, !header.classNames.isEmpty { return header.classNames }
        guard model.backbone == nil, subject.prompts == nil else { throw SettingsError.noSource }
        Console.note("Classes: the pocket world's small set. For your own pass --labels CSV.")
        return PocketCatalogue.small().classes.map(\.name)
    }

    private func show(_ film: String, probabilities: [Float], names: [String]) {
        let ranking = Prediction(path: film, label: 0, probabilities: probabilities).ranking.prefix(top)
        if json {
            struct Line: Encodable {
                struct Score: Encodable {
                    let label: Int
                    let name: String
                    let probability: Float
                }
                let film: String
                let scores: [Score]
            }
            let line = Line(
                film: film, scores: ranking.map { .init(label: $0, name: names[$0], probability: probabilities[$0]) })
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            // Strings and finite numbers always encode.
            if let data = try? encoder.encode(line) { Console.result(String(decoding: data, as: UTF8.self)) }
            return
        }
        Console.result(film.escapedForDisplay)
        for label in ranking {
            let share = percent(100 * Double(probabilities[label]))
            Console.result("  \(String(repeating: " ", count: max(0, 7 - share.count)))\(share)  \(names[label].escapedForDisplay)")
        }
    }
}

/// Some of several films could not be read; each was told as it came.
private struct PredictionFailure: ReportableError {
    let failed: Int
    let total: Int
    let status: ExitStatus
    var exitStatus: ExitStatus { status }
    var description: String { "\(failed) of \(total) films could not be read; the others are answered above." }
}

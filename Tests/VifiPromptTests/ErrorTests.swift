import Foundation
import TestSupport
import Testing
import VifiPrompt

@Suite struct ErrorTests {
    let world: TinyWorld

    init() throws { world = try TinyWorld() }

    private func error(_ body: () throws -> Void) throws -> VifiPromptError {
        let error = #expect(throws: VifiPromptError.self) { try body() }
        return try #require(error)
    }

    @Test func missingFilesAreNamed() throws {
        let backbone = try error { _ = try LoadedBackbone(path: "/nowhere/b.safetensors") }
        #expect(backbone.kind == .missingFile)
        #expect(backbone.description == "/nowhere/b.safetensors: no such file. Check the path.")
        #expect(backbone.localizedDescription == backbone.description)
        #expect(try error { _ = try LearnedPrompts(path: "/nowhere/p.safetensors") }.kind == .missingFile)
        let classifier = try VideoClassifier(backbone: LoadedBackbone(path: world.backbonePath), classNames: ["a"])
        let video = try error { _ = try classifier.classify(video: "/nowhere/clip.mp4") }
        #expect(video.kind == .missingFile && video.description.contains("/nowhere/clip.mp4"))
    }

    @Test func filesOfTheOtherKindAreRefused() throws {
        let asBackbone = try error { _ = try LoadedBackbone(path: world.promptPath) }
        #expect(asBackbone.kind == .badData && asBackbone.description.contains("this is a prompt file"))
        let asPrompts = try error { _ = try LearnedPrompts(path: world.backbonePath) }
        #expect(asPrompts.kind == .badData && asPrompts.description.contains("not a prompt file"))
        let classifier = try VideoClassifier(backbone: LoadedBackbone(path: world.backbonePath), classNames: ["a"])
        #expect(try error { _ = try classifier.classify(video: world.promptPath) }.kind == .badData)
    }

    @Test func promptsOfAnotherBackboneAreRefused() throws {
        let other = try TinyWorld(seed: 8)
        let mixed = try error {
            _ = try VideoClassifier(
                backbone: LoadedBackbone(path: other.backbonePath), prompts: LearnedPrompts(path: world.promptPath))
        }
        #expect(mixed.kind == .badData)
        #expect(mixed.description.contains(world.backbone.digest.prefix(12)))
        #expect(mixed.description.contains(other.backbone.digest.prefix(12)))
    }

    @Test func requestsThatDoNotFitAreRefused() throws {
        let backbone = try LoadedBackbone(path: world.backbonePath)
        func refusal(of names: [String]?, frames: Int? = nil, threads: Int? = nil, template: String = "{}") throws -> String {
            let error = try error {
                _ = try VideoClassifier(
                    backbone: backbone, classNames: names, template: template, frameCount: frames, threadCount: threads)
            }
            #expect(error.kind == .badRequest)
            return error.description
        }
        #expect(
            try refusal(of: nil) == "there are no class names. Pass classNames, or prompts whose file names its classes.")
        #expect(try refusal(of: []).hasPrefix("there are no class names."))
        #expect(try refusal(of: ["a"], frames: 0) == "frameCount is 0; it must be between 1 and 4096.")
        #expect(try refusal(of: ["a"], threads: -1) == "threadCount is -1; it must be between 1 and 1024.")
        #expect(try refusal(of: ["a"], template: "no place").contains("template"))
        #expect(try refusal(of: ["fits", String(repeating: "long ", count: 20)]).contains("class 1"))
    }

    @Test(arguments: [(4, 4, 47), (0, 4, 0), (-2, -8, 48), (Int.max, 2, 6), (1, 300, 900)])
    func framesMustBeWhole(width: Int, height: Int, byteCount: Int) throws {
        let error = try error {
            _ = try RGBFrame(width: width, height: height, pixels: [UInt8](repeating: 0, count: byteCount))
        }
        #expect(error.kind == .badData && error.description.contains("\(width) × \(height)"))
    }

    @Test func clipsMustHoldFramesOfOneSize() throws {
        let classifier = try VideoClassifier(backbone: LoadedBackbone(path: world.backbonePath), classNames: ["a"])
        #expect(
            try error { _ = try classifier.classify(frames: []) }.description
                == "there are no frames to classify. Pass at least one.")
        let frames = try [(8, 8), (8, 6)].map { width, height in
            try RGBFrame(width: width, height: height, pixels: [UInt8](repeating: 9, count: width * height * 3))
        }
        #expect(
            try error { _ = try classifier.classify(frames: frames) }.description
                == "frame 1 is 8 × 6, frame 0 is 8 × 8. All frames of a clip must have one size.")
    }
}

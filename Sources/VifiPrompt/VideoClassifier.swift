import CLIPModel
import Evaluation
import Experiments
import Foundation
import Synchronization
import Recipes
import Tensors
import VideoData

/// How likely one class is.
public struct ClassScore: Sendable, Equatable {
    /// Position in the list of class names, from 0.
    public let label: Int
    public let name: String
    /// In `0 ... 1`; those of all classes sum to 1, less what the classifier's `noneTexts` were given.
    public let probability: Float
}

/// Says which of some classes a video shows.
///
/// The class names go through the text tower once, when a classifier is made. May be shared by threads;
/// their clips take turns, each using all of the classifier's threads.
public final class VideoClassifier: Sendable {
    /// The classes, in the order of their labels.
    public let classNames: [String]
    /// Frames that are looked at in each video, spread evenly over it.
    public let frameCount: Int

    /// Tells classifiers apart, in the order of their making.
    let serial: Int
    /// That frames are shrunk to first.
    let shortSide: Int
    private let model: Mutex<VideoModel>
    private static let serials = Atomic<Int>(0)

    /// - Parameters:
    ///   - backbone: the CLIP that looks.
    ///   - prompts: learned on that backbone; none for plain CLIP.
    ///   - classNames: what to choose from; by default those in the prompt file.
    ///   - noneTexts: texts for what is none of the classes, such as "a person standing still". What they are given is
    ///     missing from the sum of the scores; `answer()` of these is then nil where it is more than any class has.
    ///   - template: the words around a name, with `{}` in its place. Used where the prompts hold none for
    ///     the text tower. Prompts that begin above its first layer come with words of their own.
    ///   - frameCount: of each video, `1 ... 4096`; by default as the prompts were learned, or the frames of
    ///     an X-CLIP, else 16.
    ///   - views: clips of each video in time, whose probabilities are averaged; `1 ... 64`.
    ///   - vocabularyPath: `bpe_simple_vocab_16e6.txt.gz`, for backbones that read CLIP's vocabulary; of a SigLIP its `tokenizer.json` or
    ///     `spiece.model`.
    ///   - threadCount: `1 ... 1024`; all processors by default.
    ///   - anyBackbone: takes prompts that were learned on another backbone, if only their shapes fit.
    ///   - onWarning: told both backbones' digests where `anyBackbone` made a difference.
    /// - Throws: `VifiPromptError`: the prompts belong to another backbone, names are missing or do not
    ///   fit into the text tower, or the vocabulary is missing.
    public convenience init(
        backbone: LoadedBackbone, prompts: LearnedPrompts? = nil, classNames: [String]? = nil,
        noneTexts: [String] = [], template: String = "a photo of a {}.", frameCount: Int? = nil, views: Int = 1,
        vocabularyPath: String? = nil, threadCount: Int? = nil, anyBackbone: Bool = false, onWarning: (String) -> Void = { _ in }
    ) throws(VifiPromptError) {
        let backbone = backbone.backbone
        let names = classNames ?? prompts?.classNames ?? []
        let frames = frameCount ?? prompts?.frameCount ?? backbone.architecture.crossFrame?.frameCount ?? Recipe.Data.standardFrames
        try self.init(
            classNames: names, noneCount: noneTexts.count, frameCount: frames, views: views, threadCount: threadCount, side: backbone.architecture.imagePixels,
            normalization: prompts?.file.header.normalization ?? backbone.description.normalization
        ) { pool in
            if let foreign = try prompts?.file.check(against: backbone, anyBackbone: anyBackbone) {
                onWarning(foreign.warning)
            }
            let model = LoadedModel(
                checked: prompts?.file, on: backbone, tokenizer: try backbone.tokenizer(vocabularyPath: vocabularyPath), context: RunContext())
            return try model.classifier(classNames: names + noneTexts, template: template, fusion: nil, frameCount: frames, pool: pool)
        }
    }

    /// A head, learned on features of that backbone.
    ///
    /// - Parameters:
    ///   - backbone: the CLIP that looks.
    ///   - head: learned on it.
    ///   - classNames: some of the head's, to choose from; by default all.
    ///   - frameCount: of each video, `1 ... 4096`; by default as the head was learned.
    ///   - views: clips of each video in time, whose probabilities are averaged; `1 ... 64`.
    ///   - vocabularyPath: `bpe_simple_vocab_16e6.txt.gz`, for backbones that read CLIP's vocabulary; of a SigLIP its `tokenizer.json` or
    ///     `spiece.model`.
    ///   - threadCount: `1 ... 1024`; all processors by default.
    /// - Throws: `VifiPromptError`: the head belongs to another backbone, or does not know a name.
    public convenience init(
        backbone: LoadedBackbone, head: LearnedHead, classNames: [String]? = nil, frameCount: Int? = nil, views: Int = 1,
        vocabularyPath: String? = nil, threadCount: Int? = nil
    ) throws(VifiPromptError) {
        let backbone = backbone.backbone
        let names = classNames ?? head.classNames
        let frames = frameCount ?? head.frameCount
        let model = try reporting {
            try LoadedModel(
                head.file, path: head.path, on: backbone, tokenizer: backbone.tokenizer(vocabularyPath: vocabularyPath), context: RunContext())
        }
        try self.init(
            classNames: names, noneCount: 0, frameCount: frames, views: views, threadCount: threadCount, side: backbone.architecture.imagePixels,
            normalization: model.normalization
        ) { pool in
            try model.classifier(classNames: names, template: nil, fusion: nil, frameCount: frames, pool: pool)
        }
    }

    /// - Parameters:
    ///   - noneCount: texts behind the class names that stand for none of them.
    ///   - threadCount: nil for all processors.
    ///   - makeClassifier: called once everything else is known to be in its range.
    private init(
        classNames: [String], noneCount: Int, frameCount: Int, views: Int, threadCount: Int?, side: Int, normalization: PixelNormalization,
        makeClassifier: (WorkerPool) throws -> CLIPClassifier
    ) throws(VifiPromptError) {
        let threads = threadCount ?? WorkerPool.availableProcessors
        let classifier = try reporting {
            guard !classNames.isEmpty else { throw RequestError.noClassNames }
            guard (1...4096).contains(frameCount) else { throw RequestError.frameCount(frameCount) }
            guard (1...64).contains(views), views * frameCount <= 4096 else { throw RequestError.views(views) }
            guard (1...1024).contains(threads) else { throw RequestError.threadCount(threads) }
            return try makeClassifier(WorkerPool(threadCount: threads))
        }
        var preparation = ClipTransform.Configuration()
        preparation.normalization = Normalization(normalization)
        let transform = ClipTransform.testing(side: side, preparation)
        self.classNames = classNames
        self.frameCount = frameCount
        shortSide = transform.shortSide
        serial = Self.serials.wrappingAdd(1, ordering: .relaxed).newValue
        model = Mutex(
            VideoModel(
                name: "", classNames: classNames, noneCount: noneCount, classifier: classifier, transform: transform, viewCount: views))
    }

    func withModel<Result>(_ body: (VideoModel) throws -> Result) rethrows -> Result { try model.withLock { try body($0) } }

    /// Scores a video: the center of `frameCount` frames, of each view.
    ///
    /// - Parameters:
    ///   - path: anything that FFmpeg decodes; only this file is opened.
    ///   - onWarning: told what is odd about a video that can be used even so, such as damaged frames.
    /// - Returns: all classes, the most likely first.
    /// - Throws: `VifiPromptError`, naming the file, if it holds no video that can be decoded.
    public func classify(
        video path: String, onWarning: (String) -> Void = { _ in }
    ) throws(VifiPromptError) -> [ClassScore] {
        try Self.classify(video: path, with: [self], onWarning: onWarning).first ?? []
    }

    /// Scores a video whose frames are in memory already: one view of `frameCount` of them, taken evenly. Fewer repeat.
    ///
    /// - Parameter frames: in the order of time, all of one size, at least one.
    /// - Returns: all classes, the most likely first.
    /// - Throws: `VifiPromptError` if there are none or their sizes differ.
    public func classify(frames: [RGBFrame]) throws(VifiPromptError) -> [ClassScore] {
        guard let first = frames.first else { throw VifiPromptError(RequestError.noFrames) }
        if let index = frames.firstIndex(where: { $0.width != first.width || $0.height != first.height }) {
            throw VifiPromptError(RequestError.frameSizes(first: first, index: index, other: frames[index]))
        }
        let indices = FrameSampler(sampleCount: frameCount).testIndices(frameCount: frames.count)
        return try scores(of: indices.map { frames[$0].frame })
    }

    private func scores(of frames: [VideoFrame]) throws(VifiPromptError) -> [ClassScore] {
        try reporting {
            try withModel { model in
                let clips = model.transform.clips(from: frames, key: ClipKey(seed: 0, epoch: 0, clip: 0))
                return ranked(try model.scores(views: clips), names: classNames)
            }
        }
    }
}

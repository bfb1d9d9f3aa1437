import CLIPModel
import Evaluation
import Files
import Methods
import Recipes
import Tensors
import VideoData

extension Backbone {
    /// The name that the file gives itself, safe to print.
    package var displayName: String { Self.displayed(description.name) }

    static func displayed(_ name: String) -> String { String(name.prefix(100)).escapedForDisplay }
}

extension PromptFile {
    /// Reads prompts of any form, and the backbone that they are used with; says what is odd about them.
    ///
    /// - Parameter backbone: nil for the one that they belong to, among the runs here.
    package static func load(
        _ path: String, backbone: String?, activation: Activation? = nil, anyBackbone: Bool, context: RunContext
    ) throws -> (PromptFile, Backbone) {
        let file = try withSentences(path, context: context)
        for note in file.notes + [file.header.configuration.replacedWordsNote].compactMap(\.self) {
            context.note(.ofFile(path: path, note: note))
        }
        do {
            let backbone =
                try backbone.map {
                    try BackboneFinder.load($0, activation: activation, likely: file.header.activation, context: context)
                } ?? BackboneFinder.backbone(for: file, at: path, context: context)
            return (try file.checked(for: backbone, path: path, anyBackbone: anyBackbone, context: context), backbone)
        } catch ModelError.prompts(let problem) {
            throw ModelError.inFile(path: path, .prompts(problem))
        }
    }

    /// Reads prompts of any form, with the sentences that come with the program where theirs are not in the file.
    package static func withSentences(_ path: String, context: RunContext) throws -> PromptFile {
        var file = try load(path)
        guard file.form == .actionCLIP else { return file }
        let templates = try Templates(path: nil, bundled: .actions)
        file.header.templates = templates.lines
        context.note(.model(.sentences(path: path, count: templates.lines.count, bundled: Templates.Bundled.actions.rawValue)))
        return file
    }

    /// These prompts, naming their backbone, if they belong to it or nobody minds.
    package func checked(for backbone: Backbone, path: String, anyBackbone: Bool, context: RunContext) throws -> PromptFile {
        do {
            if let foreign = try check(against: backbone, anyBackbone: anyBackbone) {
                context.warning(.model(.foreignBackbone(path: path, foreign)))
            }
        } catch let error as ModelError {
            throw ModelError.inFile(path: path, error)
        }
        return naming(backbone)
    }
}

/// A backbone with or without prompts, checked to belong together: what `eval`, `predict` and `export` look at.
package struct LoadedModel: Sendable {
    package let backbone: Backbone
    package let prompts: PromptFile?
    /// In place of prompts: a classifier on the features of the backbone as it is.
    package let head: HeadFile?
    /// Of the prompts or the head.
    package let promptPath: String?
    package let tokenizer: any Tokenizer
    /// In place of names with words around them; nil for names.
    package private(set) var descriptions: ClassDescriptions?
    private let context: RunContext

    /// - Parameters:
    ///   - prompts: of any form; nil for plain CLIP.
    ///   - backbone: nil for the one that the prompts belong to.
    ///   - anyBackbone: takes a backbone that the prompts do not belong to, with a warning.
    /// - Throws: `ModelError` where they do not belong together, `UnnamedError` where there is neither.
    package init(
        prompts path: String?, backbone backbonePath: String?, vocabulary: String?, activation: Activation? = nil,
        anyBackbone: Bool = false, precision: PrecisionChoice? = nil, context: RunContext
    ) throws {
        let found: Backbone
        var (prompts, head, file): (PromptFile?, HeadFile?, String?) = (nil, nil, path)
        if let path, let headPath = HeadFile.file(at: path) {
            let own = try HeadFile.load(headPath)
            found = try backbonePath.map { try BackboneFinder.load($0, activation: activation, context: context) }
                ?? BackboneFinder.backbone(for: own, at: headPath, context: context)
            try own.check(found, path: headPath)
            (head, file) = (own, headPath)
        } else if let path {
            (prompts, found) = try PromptFile.load(
                path, backbone: backbonePath, activation: activation, anyBackbone: anyBackbone, context: context)
        } else if let backbonePath {
            found = try BackboneFinder.load(backbonePath, activation: activation, context: context)
        } else {
            throw UnnamedError.noModel(needsPrompts: false)
        }
        let backbone = found.computing(in: try precision?.resolved(note: { context.note(.model(.precision($0))) }) ?? .float32)
        self.init(
            backbone, prompts: prompts, head: head, path: file,
            tokenizer: try BackboneFinder.tokenizer(for: backbone, vocabulary: vocabulary), context: context)
    }

    /// Prompts that were read and checked before, or none, on a backbone that is in memory already.
    package init(checked prompts: PromptFile?, on backbone: Backbone, tokenizer: any Tokenizer, context: RunContext) {
        self.init(backbone, prompts: prompts, head: nil, path: nil, tokenizer: tokenizer, context: context)
    }

    /// A backbone that is in memory already, without prompts.
    package init(_ backbone: Backbone, tokenizer: any Tokenizer, context: RunContext) {
        self.init(backbone, prompts: nil, head: nil, path: nil, tokenizer: tokenizer, context: context)
    }

    private init(
        _ backbone: Backbone, prompts: PromptFile?, head: HeadFile?, path: String?, tokenizer: any Tokenizer, context: RunContext
    ) {
        self.backbone = backbone
        self.prompts = prompts
        self.head = head
        promptPath = path
        self.tokenizer = tokenizer
        self.context = context
    }

    /// A head on a backbone that is in memory already.
    ///
    /// - Throws: `HeadUseError` where they do not belong together.
    package init(head path: String, on backbone: Backbone, tokenizer: any Tokenizer, context: RunContext) throws {
        try self.init(HeadFile.load(path), path: path, on: backbone, tokenizer: tokenizer, context: context)
    }

    /// A head that was read before.
    ///
    /// - Throws: `HeadUseError` where they do not belong together.
    package init(_ head: HeadFile, path: String, on backbone: Backbone, tokenizer: any Tokenizer, context: RunContext) throws {
        try head.check(backbone, path: path)
        self.init(backbone, prompts: nil, head: head, path: path, tokenizer: tokenizer, context: context)
    }

    /// Empty for the backbone as it is, and for a head.
    package var promptSet: PromptSet<Matrix> { prompts?.prompts ?? PromptSet(vision: [], text: []) }

    /// Of the prompts or the head; nil for the backbone as it is.
    package var promptsDigest: String? { prompts?.useDigest ?? head?.digest }

    /// The same backbone with other prompts.
    ///
    /// - Throws: `ModelError` where they do not belong together.
    package init(prompts path: String, sharing other: LoadedModel, anyBackbone: Bool, context: RunContext) throws {
        if let file = HeadFile.file(at: path) {
            try self.init(head: file, on: other.backbone, tokenizer: other.tokenizer, context: context)
            return
        }
        try self.init(prompts: path, on: other.backbone, tokenizer: other.tokenizer, anyBackbone: anyBackbone, context: context)
    }

    /// Prompts on a backbone that is in memory already.
    ///
    /// - Throws: `ModelError` where they do not belong together.
    package init(
        prompts path: String, on backbone: Backbone, tokenizer: any Tokenizer, anyBackbone: Bool = false, context: RunContext
    ) throws {
        let file = try PromptFile.withSentences(path, context: context)
        for note in file.notes { context.note(.ofFile(path: path, note: note)) }
        let prompts = try file.checked(for: backbone, path: path, anyBackbone: anyBackbone, context: context)
        self.init(backbone, prompts: prompts, head: nil, path: path, tokenizer: tokenizer, context: context)
    }

    /// The same model, which knows classes by descriptions.
    ///
    /// - Throws: `DescriptionError` for a head, which knows its classes itself, and prompts of the text tower, which stand in their place,
    ///   unless they were learned with descriptions.
    package func described(by descriptions: ClassDescriptions?) throws(DescriptionError) -> LoadedModel {
        guard let descriptions else { return self }
        guard backbone.architecture.crossFrame == nil else { throw .notWith(what: "an X-CLIP, whose texts depend on the video") }
        guard head == nil else { throw .notWith(what: "a head, which knows its classes by itself") }
        if let header = prompts?.header, header.bringsWords, header.descriptionsDigest == nil {
            throw .notWith(what: "prompts of the text tower, which were learned before names")
        }
        if let learned = prompts?.header.descriptionMatch, learned != descriptions.match.rawValue {
            context.warning(.model(.otherMatch(path: promptPath, learned: learned, used: descriptions.match)))
        }
        var model = self
        model.descriptions = descriptions
        return model
    }

    /// The pixels that prompts and backbone are used to.
    package var normalization: PixelNormalization {
        prompts?.header.normalization ?? head.flatMap { PixelNormalization(rawValue: $0.header.normalization) } ?? backbone.description.normalization
    }

    /// For headings: "bridged-clip with prompts learn/prompts/best.safetensors".
    package var summary: String { backbone.displayName + (promptPath.map { " with \(head == nil ? "prompts" : head?.header.kind.rawValue ?? "") \($0)" } ?? ", no prompts") }

    /// Frames of a clip: those that are asked for, else those that the prompts were learned with.
    ///
    /// - Parameter standard: where nobody says it; the pocket world's CLIP has its own number.
    package func frameCount(asked: Int?, standard: Int = Recipe.Data.standardFrames) -> Int {
        let isPocket = backbone.description.tokenizer == .bytes
        return asked ?? backbone.architecture.crossFrame?.frameCount ?? prompts?.header.frameCount ?? head?.header.frames ?? (isPocket ? Recipe.Data.pocketFrames : standard)
    }

    /// The words around class names or captions: the prompt file's, unless others are asked for.
    ///
    /// Layers below the first text prompts read the words that these were learned above, and no others.
    package func words(asked template: String?) -> String? {
        guard let header = prompts?.header else { return template }
        let first = header.configuration.textLayers.lowerBound
        guard first > 0, let template, template != header.template else { return template ?? header.template }
        context.warning(.model(.templateFixed(firstLayer: first, template: header.template)))
        return header.template
    }

    /// Says so where learned prompts stand in the place of the words that the command line asks for.
    package func warn(ofUnused template: String?) {
        guard template != nil, prompts?.header.bringsWords == true else { return }
        context.warning(.model(.templateNotUsed(path: promptPath)))
    }

    /// - Parameters:
    ///   - template: for class names where no text prompts are learned.
    ///   - keepsUnderscores, rounding: what to repeat of the reference's faults.
    ///   - fusion, frameCount: nil for the prompt file's, else embedding and the default.
    package func classifier(
        classNames: [String], template: String?, fusion: Fusion?, frameCount: Int?, keepsUnderscores: Bool = false,
        rounding: Float16Rounding = [], pool: WorkerPool
    ) throws -> CLIPClassifier {
        let configuration = prompts?.header.configuration ?? .none
        try backbone.check(frameCount: self.frameCount(asked: frameCount))
        if let descriptions {
            return try classifier(
                classNames: classNames, descriptions: descriptions, fusion: fusion, frameCount: frameCount, rounding: rounding, pool: pool)
        }
        if prompts?.header.descriptionsDigest != nil {
            context.warning(.model(.needsDescriptions(path: promptPath)))
        }
        let template = words(asked: template)
        let templates = prompts?.header.templates ?? []
        func sequences(_ template: String?) throws -> [[Int]] {
            try backbone.sequences(
                of: classNames, prompts: configuration, template: template, keepsUnderscores: keepsUnderscores,
                learned: prompts?.header.classNames, tokenizer: tokenizer)
        }
        let sequences = templates.isEmpty ? try sequences(template) : try templates.flatMap { try sequences($0) }
        tellEqualTokens(classNames, Array(sequences.prefix(classNames.count)), context)
        if let head, let path = promptPath {
            let known = head.header.classNames
            let columns = try classNames.map { name in
                guard let column = known.firstIndex(of: name) else {
                    throw HeadUseError.unknownClass(name: name, path: path, nearest: name.nearest(among: known))
                }
                return column
            }
            let projecting = head.head.projection.map { backbone.projecting(through: $0) } ?? backbone
            return CLIPClassifier(
                backbone: projecting.rounded(rounding), prompts: head.visionPrompts.rounded(rounding).reading, sequences: sequences,
                frameCount: self.frameCount(asked: frameCount), pool: pool
            ) { _ in HeadScorer(head: head.head, temperature: Float(head.header.temperature), columns: columns) }
        }
        let aggregator = try aggregator(asked: fusion, frameCount: self.frameCount(asked: frameCount))
        return CLIPClassifier(
            backbone: backbone.rounded(rounding),
            prompts: promptSet.rounded(rounding).reading, sequences: sequences,
            frameCount: self.frameCount(asked: frameCount), pool: pool
        ) { aggregator.head(text: $0, templateCount: max(1, templates.count), scale: backbone.logitScale) }
    }

    /// How frames come together: as the prompts were learned, unless another fusion is asked for.
    ///
    /// - Throws: `ModelError` where they were learned with a transformer over frames, and another fusion or more frames are asked for.
    private func aggregator(asked fusion: Fusion?, frameCount: Int) throws(ModelError) -> any VideoAggregator {
        if let fusion, fusion != .embedding { try backbone.requireFramesAlone(for: "--fusion \(fusion.rawValue) is") }
        guard let prompts, backbone.architecture.crossFrame == nil else { return backbone.aggregator(fusion: fusion ?? .embedding) }
        do {
            return try prompts.aggregator(asked: fusion, frameCount: frameCount)
        } catch {
            throw ModelError.inFile(path: promptPath ?? "", error)
        }
    }

    private func classifier(
        classNames: [String], descriptions: ClassDescriptions, fusion: Fusion?, frameCount: Int?, rounding: Float16Rounding, pool: WorkerPool
    ) throws -> CLIPClassifier {
        let (sequences, counts) = try backbone.tokens(
            of: descriptions, classNames: classNames, prompts: prompts?.header.configuration ?? .none, tokenizer: tokenizer, context: context)
        let aggregator = try aggregator(asked: fusion, frameCount: self.frameCount(asked: frameCount))
        return CLIPClassifier(
            backbone: backbone.rounded(rounding), prompts: promptSet.rounded(rounding).reading,
            sequences: sequences, frameCount: self.frameCount(asked: frameCount), pool: pool
        ) { text in
            switch descriptions.match {
            case .mean: aggregator.head(text: SentenceMeans(counts: counts).texts(of: text), scale: backbone.logitScale)
            case .transport: TransportFusion(counts: counts).head(text: text, scale: backbone.logitScale)
            }
        }
    }
}

import CLIPModel
import Experiments
import Files
import VideoData
import WeightFiles

/// What `inspect` found in a file, for people and for programs.
struct Inspection: Encodable {
    enum Kind: String, Encodable {
        case backbone, prompts, tensors, video
        case classEmbeddings = "class embeddings"
    }

    struct Tensor: Encodable {
        let name: String
        let type: String
        let shape: [Int]
        let elements: Int

        init(_ description: TensorDescription) {
            name = description.name
            type = description.elementType.rawValue
            shape = description.shape
            elements = description.elementCount
        }
    }

    struct BackboneFacts: Encodable {
        let name: String
        let architecture: String
        let parameters: Int
        /// Over the values of the weights: the same for a copy in another order or file format.
        /// Nil where the token table is missing.
        let backboneSha256: String?
        /// How its tensors are named: OpenAI CLIP, Hugging Face, …
        let layout: String
        let activation: String
        let visionHeads: Int
        let textHeads: Int
        let normalization: String
        let tokenizer: String
        /// Nil where the token table is missing.
        let vocabulary: Int?
        let contextLength: Int
        let logitScale: Float
        let provenance: String

        /// Learned prompts inside, which are no part of the backbone.
        let promptTensors: [String]
        /// Tensors that are no part of the backbone, by what they are.
        let ignored: [String: [String]]

        init(_ checkpoint: Checkpoint, _ survey: Checkpoint.Survey) {
            let description = checkpoint.description
            layout = checkpoint.isOwn ? "vifi-prompt" : checkpoint.layout.rawValue
            activation = checkpoint.architecture.activation.rawValue
            visionHeads = checkpoint.architecture.vision.headCount
            textHeads = checkpoint.architecture.text.headCount
            promptTensors = checkpoint.promptNames
            ignored = checkpoint.ignoredNames
            name = description.name
            architecture = checkpoint.architecture.summary
            parameters = checkpoint.parameterCount
            backboneSha256 = survey.digest
            normalization = description.normalization.name
            tokenizer = description.tokenizer.rawValue
            vocabulary = checkpoint.lacksTokens ? nil : checkpoint.architecture.vocabularySize
            contextLength = checkpoint.architecture.contextLength
            logitScale = survey.logitScale
            provenance = description.provenance
        }
    }

    struct Prompts: Encodable {
        /// In which form they are kept.
        let form: String
        /// Whether the file holds a backbone as well.
        let carriesBackbone: Bool
        let visionTokens: Int
        let visionDepth: Int
        let textTokens: Int
        let textDepth: Int
        /// Such as "6-11" or "none".
        let visionLayers: String
        let textLayers: String
        let learnedNumbers: Int
        /// Nil where the file does not name its backbone, as the reference's checkpoints do not.
        let backboneName: String?
        let backboneSha256: String?
        let architecture: String?
        /// Whether that backbone is among the runs here or came with the program.
        let backboneIsHere: Bool
        let classes: [String]
        let frames: Int
        let fusion: String
        let normalization: String
        let shots: Int?
        /// Nil where the backward pass went through all frames.
        let backwardFrames: Int?
        /// Pairs of a frame's tokens that merge in each layer.
        let mergeTokens: Int
        /// Whether the first layer's vision prompts join behind the tower's input norm.
        let behindNorm: Bool
        /// How they were learned and held near CLIP; nil for ViFi-CLIP's way.
        let method: String?
        let regularize: String?
        /// Where learned words stand or what moves prompts with each video, and what stands between frames and their mean; nil for
        /// none.
        let words: String?
        /// What is added to the pixels of every frame; nil for nothing.
        let pixels: String?
        let frameTransformer: String?
        let seed: UInt64
        let metrics: [String: Double]
        /// Nil where another program wrote the file.
        let recipeSha256: String?
        let toolVersion: String?

        init(_ file: PromptFile, backboneIsHere: Bool) {
            let header = file.header
            visionTokens = header.configuration.visionTokens
            visionDepth = header.configuration.visionDepth
            textTokens = header.configuration.textTokens
            textDepth = header.configuration.textDepth
            visionLayers = PromptLayers(header.configuration.visionLayers).text
            textLayers = PromptLayers(header.configuration.textLayers).text
            learnedNumbers = file.tensors.reduce(0) { $0 + $1.values.count }
            let ownText = header.configuration.words != nil || header.configuration.followsVideos
            words = ownText ? header.configuration.textWords : nil
            pixels = header.configuration.pixels?.words
            frameTransformer = header.video?.text
            form = file.form.rawValue
            carriesBackbone = file.carriesBackbone
            backboneName = header.namesBackbone ? header.backboneName : nil
            backboneSha256 = header.namesBackbone ? header.backboneDigest : nil
            architecture = header.namesBackbone ? header.architecture : nil
            self.backboneIsHere = backboneIsHere
            classes = header.classNames
            frames = header.frameCount
            fusion = header.fusion.rawValue
            normalization = header.normalization.name
            shots = header.shots
            backwardFrames = header.backwardFrameCount
            mergeTokens = header.configuration.mergedTokens
            behindNorm = header.configuration.isBehindNorm
            method = header.method
            regularize = header.regularizer
            seed = header.seed
            metrics = header.metrics
            recipeSha256 = header.namesBackbone ? header.recipeDigest : nil
            toolVersion = header.namesBackbone ? header.toolVersion : nil
        }
    }

    struct Video: Encodable {
        let container: String
        let codec: String
        let pixelFormat: String
        let width: Int
        let height: Int
        let frames: Int
        let framesPerSecond: Double?
        let seconds: Double?
        let clockwiseDegrees: Int
        /// FFmpeg's name; nil where the file names none.
        let transfer: String?
        /// `PQ` or `HLG`, which is converted; nil for SDR.
        let highDynamicRange: String?
        let warnings: [String]

        init(_ info: VideoInfo, warnings: [VideoWarning]) {
            container = info.container
            codec = info.codec
            pixelFormat = info.pixelFormat
            width = info.width
            height = info.height
            frames = info.frameCount
            framesPerSecond = info.framesPerSecond
            seconds = info.durationSeconds
            clockwiseDegrees = 90 * info.quarterTurns
            transfer = info.transfer
            highDynamicRange = info.dynamicRange?.rawValue
            self.warnings = warnings.map(\.description)
        }
    }

    var kind: Kind
    let file: String
    /// Of a folder neither is given.
    let bytes: Int?
    let sha256: String?
    var format: String?
    var knownRelease: String?
    var backbone: BackboneFacts?
    var prompts: Prompts?
    var video: Video?
    var metadata: [String: String]?
    var tensorCount: Int?
    var tensors: [Tensor]?
    var ignoredObjects: [String]?

    init(kind: Kind, file: String) throws(FileError) {
        self.kind = kind
        self.file = file
        bytes = isDirectory(file) ? nil : try InputFile(path: file).byteCount
        sha256 = isDirectory(file) ? nil : try Digest.ofFile(file)
    }
}

// MARK: - For people

extension Inspection {
    /// Aligned lines; everything that the file says itself is escaped.
    func text(showsAllTensors: Bool) -> String {
        var rows = [("file", file), ("kind", kind.rawValue)]
        if let format { rows.append(("format", format)) }
        if let bytes { rows.append(("bytes", grouped(bytes))) }
        if let sha256 { rows.append(("SHA-256", sha256)) }
        if let knownRelease { rows.append(("known release", knownRelease)) }
        if let backbone { rows += backbone.rows }
        if let prompts { rows += prompts.rows }
        if let video { rows += video.rows }
        // What is understood is above. The words of other files are marked as theirs: a key may be called "kind".
        if backbone == nil, prompts == nil {
            rows += (metadata ?? [:]).sorted { $0.key < $1.key }.map { ("metadata.\($0.key)", $0.value) }
        }
        if let ignoredObjects, !ignoredObjects.isEmpty {
            rows.append(("ignored objects", "\(ignoredObjects.count): \(ignoredObjects.prefix(4).joined(separator: ", "))"))
        }
        if let tensors { rows.append(("tensors", Self.summary(of: tensors))) }
        var lines = Self.aligned(rows.map { ($0.0, Self.shortened($0.1)) })
        if let tensors {
            let isUnknown = backbone == nil && prompts == nil
            lines += Self.listing(of: tensors, limit: showsAllTensors ? tensors.count : isUnknown ? 10 : 0)
        }
        return lines.joined(separator: "\n")
    }

    static func aligned(_ rows: [(String, String)]) -> [String] {
        let names = rows.map { shortened($0.0, to: 40) }
        let width = names.map(\.count).max() ?? 0
        return zip(names, rows).map { name, row in
            name + String(repeating: " ", count: width - name.count + 2) + row.1
        }
    }

    private static func shortened(_ text: String, to limit: Int = 200) -> String {
        let start = text.prefix(limit)
        return String(start).escapedForDisplay + (start.endIndex < text.endIndex ? "…" : "")
    }

    /// Such as `302 (149,620,737 numbers: F32 301, I64 1)`.
    private static func summary(of tensors: [Tensor]) -> String {
        let types = Dictionary(grouping: tensors, by: \.type).sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.count)" }
        // Counts of one file's tensors are bounded by its bytes.
        let numbers = tensors.reduce(0) { $0 + $1.elements }
        return tensors.isEmpty ? "0" : "\(tensors.count) (\(grouped(numbers)) numbers: \(types.joined(separator: ", ")))"
    }

    private static func listing(of tensors: [Tensor], limit: Int) -> [String] {
        guard limit > 0, !tensors.isEmpty else { return [] }
        let shown = tensors.sorted { $0.name < $1.name }.prefix(limit)
        let rows = aligned(shown.map { ($0.name, "\($0.type) \($0.shape)") })
        let rest = tensors.count - shown.count
        return rows.map { "  " + $0 } + (rest > 0 ? ["  … and \(rest) more; --tensors names all"] : [])
    }
}

extension Inspection.BackboneFacts {
    fileprivate var rows: [(String, String)] {
        [
            ("name", name), ("architecture", architecture), ("parameters", grouped(parameters)),
            ("digest", backboneSha256 ?? "none without the token embeddings"),
            ("layout", layout), ("activation", activation), ("heads", "\(visionHeads), text \(textHeads)"), ("normalization", normalization),
            ("tokenizer", "\(tokenizer), \(vocabulary.map { "\(grouped($0)) tokens" } ?? "token embeddings missing"), context \(contextLength)"),
            ("logit scale", "\(logitScale)"), ("provenance", provenance),
        ]
            + (promptTensors.isEmpty
                ? [] : [("prompts inside", "\(promptTensors.count) tensors: `vifi-prompt export` and `learn --init` read them")])
            + ignored.sorted { $0.key < $1.key }.map { what, names in
                ("ignored", "\(what), \(names.count) tensors: \(names.prefix(4).joined(separator: ", "))\(names.count > 4 ? ", …" : "")")
            }
    }
}

extension Inspection.Prompts {
    fileprivate var rows: [(String, String)] {
        let names = classes.prefix(10).joined(separator: ", ") + (classes.count > 10 ? ", …" : "")
        let place = backboneIsHere ? "found here" : "not found here: pass it with --backbone"
        func size(_ tokens: Int, _ depth: Int, _ layers: String) -> String {
            "\(counted(tokens, "token", "tokens")) × \(counted(depth, "layer", "layers"))" + (depth > 0 && !layers.hasPrefix("0") ? " (\(layers))" : "")
        }
        var rows = [
            ("form", form), ("vision", pixels ?? size(visionTokens, visionDepth, visionLayers)),
            ("text", words ?? size(textTokens, textDepth, textLayers)), ("learned numbers", grouped(learnedNumbers)),
        ]
        if let backboneName, let backboneSha256, let architecture {
            rows += [("backbone", "\(backboneName), \(architecture)"), ("digest", "\(backboneSha256) (\(place))")]
        } else {
            rows.append(("backbone", "not named\(carriesBackbone ? ", but its weights are in the file" : "") (\(place))"))
        }
        rows += [
            ("classes", classes.isEmpty ? "not named" : "\(classes.count): \(names)"),
            ("frames", "\(frames), fusion \(fusion), normalization \(normalization)"),
        ]
        if toolVersion != nil { rows += [("shots", shots.map { "\($0) per class" } ?? "all clips"), ("seed", "\(seed)")] }
        if mergeTokens > 0 { rows.append(("merging", "\(counted(mergeTokens, "token", "tokens")) in each layer of the vision tower")) }
        if behindNorm { rows.append(("first prompts", "behind the vision tower's input norm")) }
        if let frameTransformer { rows.append(("over frames", "transformer, \(frameTransformer)")) }
        if let method { rows.append(("method", method)) }
        if let regularize { rows.append(("regularized", regularize)) }
        if let backwardFrames { rows.append(("backward", "through \(backwardFrames) of \(frames) frames")) }
        rows += metrics.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
        if let recipeSha256, let toolVersion { rows += [("recipe", recipeSha256), ("written by", "vifi-prompt \(toolVersion)")] }
        return rows
    }
}

extension Inspection.Video {
    fileprivate var rows: [(String, String)] {
        var rows = [
            ("container", container), ("codec", "\(codec), \(pixelFormat)"), ("size", "\(width) × \(height)"),
            ("frames", "\(frames)"),
        ]
        if let framesPerSecond { rows.append(("rate", "\(rounded(framesPerSecond)) frames a second")) }
        if let seconds { rows.append(("duration", "\(rounded(seconds)) s")) }
        if clockwiseDegrees > 0 { rows.append(("turned", "\(clockwiseDegrees)° clockwise")) }
        if let transfer { rows.append(("transfer", transfer + (highDynamicRange.map { ", \($0): converted to SDR" } ?? ""))) }
        return rows + warnings.map { ("warning", $0) }
    }

    private func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}

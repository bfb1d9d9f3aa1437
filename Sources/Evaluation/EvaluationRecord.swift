/// What was scored, how, and how well: `evaluation.json`. Shares in percent; keys are written in snake_case.
package struct EvaluationRecord: Codable, Sendable, Equatable {
    package struct Model: Codable, Sendable, Equatable {
        package var backbone: String
        /// Over the weights, whatever file they are in.
        package var backboneSha256: String
        /// The file; nil without prompts.
        package var prompts: String?
        /// Over the learned numbers, whatever file they are in.
        package var promptsSha256: String?

        package init(backbone: String, backboneSha256: String, prompts: String?, promptsSha256: String?) {
            self.backbone = backbone
            self.backboneSha256 = backboneSha256
            self.prompts = prompts
            self.promptsSha256 = promptsSha256
        }
    }

    /// A class that was chosen from the list's.
    package struct SubsetClass: Codable, Sendable, Equatable {
        /// Its number in the list; in the evaluation the chosen ones are numbered anew from 0, in the same order.
        package var label: Int
        package var name: String

        private enum CodingKeys: String, CodingKey {
            case label
            case name = "class"
        }

        package init(label: Int, name: String) {
            self.label = label
            self.name = name
        }
    }

    /// How videos are looked at.
    package struct Setting: Codable, Sendable, Equatable {
        /// Words around class names; nil where text prompts are learned.
        package var template: String?
        package var frames: Int
        /// Clips in time × crops in space, such as `4x3`.
        package var views: String
        package var fusion: String
        /// Name of the pixel normalization.
        package var normalization: String
        /// Of the large products.
        package var precision: String
        /// Faults of the reference that are repeated.
        package var compat: String
        /// Of views that are drawn by chance.
        package var seed: UInt64
        /// Of descriptions in place of class names, and how they are compared with videos; nil for names.
        package var descriptionsSha256: String?
        package var match: String?

        package init(
            template: String?, frames: Int, views: String, fusion: String, normalization: String, precision: String, compat: String,
            seed: UInt64, descriptionsSha256: String? = nil, match: String? = nil
        ) {
            self.descriptionsSha256 = descriptionsSha256
            self.match = match
            self.template = template
            self.frames = frames
            self.views = views
            self.fusion = fusion
            self.normalization = normalization
            self.precision = precision
            self.compat = compat
            self.seed = seed
        }
    }

    /// `list`, `zero-shot`, `base-to-novel`, `few-shot` or `supervised`.
    package var evaluationProtocol: String
    package var list: String
    /// The folder that its paths start from.
    package var root: String
    /// Of the list's file.
    package var listSha256: String
    /// Of the class names in order: `ClassNames.digest`.
    package var classListSha256: String
    package var classes: Int
    /// Which these are, where only some of the list's classes were scored, among each other; nil for all.
    package var classSubset: [SubsetClass]?
    /// Videos of the list that belong to these classes.
    package var listed: Int
    /// Videos that could not be read and are not counted.
    package var unreadable: [String]
    package var model: Model
    package var setting: Setting
    /// Videos that are counted.
    package var videos: Int
    package var top1: Double
    package var top5: Double
    package var meanClassAccuracy: Double
    package var macroF1: Double
    /// Of scoring, without reading the model.
    package var seconds: Double
    package var version: String

    /// `top5` where it says something: among five classes or fewer every answer is among the best five.
    package var tellingTop5: Double? { classes > 5 ? top5 : nil }

    private enum CodingKeys: String, CodingKey {
        case evaluationProtocol = "protocol"
        case list, root, listSha256, classListSha256, classes, classSubset, listed, unreadable, model, setting, videos, top1, top5
        case meanClassAccuracy, macroF1, seconds, version
    }

    package init(
        evaluationProtocol: String, list: String, root: String, listSha256: String, classListSha256: String, listed: Int,
        unreadable: [String], model: Model, setting: Setting, metrics: ClassificationMetrics, classSubset: [SubsetClass]? = nil, seconds: Double,
        version: String
    ) {
        self.evaluationProtocol = evaluationProtocol
        self.list = list
        self.root = root
        self.listSha256 = listSha256
        self.classListSha256 = classListSha256
        classes = metrics.perClass.count
        self.classSubset = classSubset
        self.listed = listed
        self.unreadable = unreadable
        self.model = model
        self.setting = setting
        videos = metrics.videos
        top1 = metrics.top1
        top5 = metrics.top5
        meanClassAccuracy = metrics.meanClassAccuracy
        macroF1 = metrics.macroF1
        self.seconds = seconds
        self.version = version
    }
}

/// A list's evaluation with all of its numbers: what `evaluate list --json` prints.
package struct EvaluationReport: Encodable {
    package let record: EvaluationRecord
    package let metrics: ClassificationMetrics

    private enum CodingKeys: String, CodingKey {
        case perClass, confusion, confusions
    }

    package init(record: EvaluationRecord, metrics: ClassificationMetrics) {
        self.record = record
        self.metrics = metrics
    }

    package func encode(to encoder: any Encoder) throws {
        try record.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(metrics.perClass, forKey: .perClass)
        if metrics.perClass.count <= ClassificationMetrics.confusionTableLimit {
            try container.encode(metrics.confusion, forKey: .confusion)
        } else {
            try container.encode(metrics.confusions, forKey: .confusions)
        }
    }
}

import CLIPModel
import Evaluation
import Files
import Training
import VideoData

/// The classes that are learned.
package enum BaseClasses: Equatable {
    /// The half with more training videos; of equally frequent classes those later in the list (methods 8.2).
    case frequent
    /// The first or second half of the names in alphabetical order; an odd class is base.
    case alphabetFirst, alphabetLast
    /// Those named in a file.
    case named(path: String)
}

extension BaseClasses {
    /// What is no path.
    package static let words = ["frequent", "alphabet-first", "alphabet-last"]

    /// - Parameter text: `frequent`, `alphabet-first`, `alphabet-last`, or a path.
    package init(_ text: String) {
        self = switch text {
        case "frequent": .frequent
        case "alphabet-first": .alphabetFirst
        case "alphabet-last": .alphabetLast
        default: .named(path: text)
        }
    }

    /// - Parameter train: videos of all classes.
    package func split(_ train: TestList, context: RunContext) throws -> BaseNovelSplit {
        let count = train.classes.count
        // Fewer than two classes are refused there.
        let frequent = try BaseNovelSplit(of: train.list, classCount: count)
        let sorted = train.classes.names.indices.sorted { (train.classes[$0].lowercased(), $0) < (train.classes[$1].lowercased(), $1) }
        switch self {
        case .frequent: return frequent
        case .alphabetFirst: return BaseNovelSplit(base: sorted.prefix(count - count / 2), classCount: count)
        case .alphabetLast: return BaseNovelSplit(base: sorted.suffix(count - count / 2), classCount: count)
        case .named(let path):
            let base = try ClassNames.readTold(path, context: context).names.map { name in
                guard let index = train.classes.index(of: name) else {
                    throw ProtocolError.unknownBaseClass(path: path, name: name, nearest: name.nearest(among: train.classes.names))
                }
                return index
            }
            guard Set(base).count < count else { throw ProtocolError.noHalf(path: path, base: Set(base).count, of: count) }
            return BaseNovelSplit(base: Set(base), classCount: count)
        }
    }
}

/// Halves that were made before.
package struct HalvesInputs {
    /// A folder with both halves and the draws, as `data split --base-novel` writes it.
    package var halves: String?
    /// Draws from the base classes.
    package var baseTrain: [String]
    package var baseTest: String?
    package var novelTest: String?
    package var baseLabels: String?
    package var novelLabels: String?

    package init(
        halves: String?, baseTrain: [String], baseTest: String?, novelTest: String?, baseLabels: String?, novelLabels: String?
    ) {
        self.halves = halves
        self.baseTrain = baseTrain
        self.baseTest = baseTest
        self.novelTest = novelTest
        self.baseLabels = baseLabels
        self.novelLabels = novelLabels
    }

    /// - Parameters:
    ///   - shots: of the draws that are made here, or looked for in the folder.
    ///   - seeds: one for each draw; none where nothing is learned.
    package func read(videos: VideoInputs, root: String?, shots: Int?, seeds: [Int], context: RunContext) throws -> BaseToNovelData {
        func file(_ given: String?, _ name: String) throws -> String {
            if let given { return given }
            let folder = halves ?? "."
            guard fileExists(folder.appendingPath(name)) else { throw ProtocolError.missingFile(folder: folder, name: name) }
            return folder.appendingPath(name)
        }
        let labels = try file(baseLabels, "base-labels.csv")
        // Folders of earlier programs hold what is scored as base-val.txt and novel-val.txt.
        func scored(_ given: String?, _ half: String) throws -> String {
            let isNamedTest = halves.map { fileExists($0.appendingPath("\(half)-test.txt")) } ?? true
            return try file(given, isNamedTest ? "\(half)-test.txt" : "\(half)-val.txt")
        }
        let base = try TestList(scored(baseTest, "base"), labels: labels, videos: videos, root: root, context: context)
        let chosenOn = halves.map { $0.appendingPath("base-val.txt") }.flatMap { fileExists($0) && $0 != base.list.path ? $0 : nil }
        let validation = try chosenOn.map { try TestList($0, labels: labels, videos: videos, root: root, context: context) }
        let novel = try TestList(
            scored(novelTest, "novel"), labels: file(novelLabels, "novel-labels.csv"), videos: videos, root: root, context: context)
        if seeds.isEmpty { return BaseToNovelData(base: base, baseLabels: labels, novel: novel, draws: []) }
        var draws = baseTrain
        if draws.isEmpty, let halves {
            let made = (1...seeds.count).map { halves.appendingPath("base-train-\(shots ?? 16)-shot-s\($0).txt") }
            if made.allSatisfy(fileExists) { draws = made }
        }
        guard draws.isEmpty else {
            let lists = try draws.map { try TestList($0, classes: base.classes, videos: videos, root: root, context: context) }
            if !baseTrain.isEmpty, !videos.allowances.allowRepeats { try TestList.refuseRepeats(lists) }
            return BaseToNovelData(
                base: base, baseLabels: labels, novel: novel,
                draws: try draws.enumerated().map { index, path in
                    let list = try TestList(path, classes: base.classes, videos: videos, root: root, context: context)
                    return BaseToNovelData.Draw(
                        name: "s\(index + 1)", list: path, root: root, shots: nil, seed: index < seeds.count ? seeds[index] : index + 1,
                        clipCount: list.list.clips.count, sha256: list.sha256)
                },
                validation: validation)
        }
        return try BaseToNovelData(
            base: base, baseLabels: labels, novel: novel, drawing: file(nil, "base-train.txt"), root: root, shots: shots ?? 16,
            seeds: seeds, validation: validation)
    }
}

/// Both halves of a data set's classes, and what is learned from.
package struct BaseToNovelData {
    package struct Draw {
        package let name: String
        /// Videos to learn from, or to draw from.
        package var list: String
        package let root: String?
        /// nil where the list is the draw.
        package let shots: Int?
        package let seed: Int
        /// Videos of the draw.
        package let clipCount: Int
        package let sha256: String
    }

    package private(set) var base: TestList
    package private(set) var baseLabels: String
    package private(set) var novel: TestList
    /// Of the base classes, to choose the best epoch on; nil where there is none.
    package private(set) var validation: TestList?
    package private(set) var draws: [Draw]
    /// All base videos, where they are halved here and not in a file yet.
    private var pendingTrain: TestList?

    package init(base: TestList, baseLabels: String, novel: TestList, draws: [Draw], validation: TestList? = nil) {
        self.base = base
        self.baseLabels = baseLabels
        self.novel = novel
        self.draws = draws
        self.validation = validation
    }

    /// Halves that are there, and draws by seed from all base videos.
    package init(
        base: TestList, baseLabels: String, novel: TestList, drawing list: String, root: String?, shots: Int, seeds: [Int],
        validation: TestList? = nil
    ) throws {
        let sha256 = try Digest.ofFile(list)
        self.init(
            base: base, baseLabels: baseLabels, novel: novel,
            draws: seeds.map {
                Draw(
                    name: "seed\($0)", list: list, root: root, shots: shots, seed: $0, clipCount: shots * base.classes.count, sha256: sha256)
            },
            validation: validation)
    }

    /// Halves the classes of whole lists.
    package init(
        halving train: TestList, _ tests: TestList, validation: TestList? = nil, by baseClasses: BaseClasses, shots: Int, seeds: [Int],
        context: RunContext
    ) throws {
        let split = try baseClasses.split(train, context: context)
        func half(_ subset: ClassSubset, of list: TestList, _ name: String) throws -> TestList {
            let clips = subset.clips(of: list.list.clips)
            guard !clips.isEmpty else { throw ProtocolError.emptyHalf(path: list.list.path, half: name) }
            return TestList(
                list: AnnotationList(path: list.list.path, root: list.list.root, clips: clips), classes: subset.names(of: list.classes),
                sha256: Digest.of(AnnotationList.bytes(of: clips)))
        }
        let videos = try half(split.base, of: train, "base")
        self.init(
            base: try half(split.base, of: tests, "base"), baseLabels: "", novel: try half(split.novel, of: tests, "novel"),
            draws: seeds.map {
                Draw(
                    name: "seed\($0)", list: "", root: videos.list.root, shots: shots, seed: $0, clipCount: shots * videos.classes.count,
                    sha256: videos.sha256)
            },
            validation: try validation.map { try half(split.base, of: $0, "base") })
        pendingTrain = videos
    }

    /// What determines the numbers.
    package var inputs: [String: String] {
        var inputs = base.inputs("base").merging(novel.inputs("novel")) { $1 }
        if let validation { inputs.merge(validation.inputs("validation")) { $1 } }
        for (index, draw) in draws.enumerated() {
            inputs["draw \(index + 1)"] = "\(draw.sha256) \(draw.shots.map(String.init) ?? "all") clips, seed \(draw.seed)"
        }
        return inputs
    }

    /// Writes down halves that were made here.
    package mutating func keep(in folder: ProtocolFolder) throws {
        guard let videos = pendingTrain else { return }
        base = try folder.write(base.list, base.classes, name: "base-test")
        novel = try folder.write(novel.list, novel.classes, name: "novel-test")
        validation = try validation.map { try folder.write($0.list, $0.classes, name: "base-val") }
        let train = try folder.write(videos.list, videos.classes, name: "base-train")
        baseLabels = folder.path.appendingPath("lists/base-train-labels.csv")
        for index in draws.indices { draws[index].list = train.list.path }
        pendingTrain = nil
    }
}

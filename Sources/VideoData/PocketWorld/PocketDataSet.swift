import Files
import Tensors

/// A pocket data set on disk: videos, lists and class names, like a user's own.
package struct PocketDataSet: Sendable {
    package let root: String

    package var trainList: String { root.appendingPath("train.txt") }
    package var validationList: String { root.appendingPath("val.txt") }
    package var testList: String { root.appendingPath("test.txt") }
    package var labels: String { root.appendingPath("labels.csv") }
    /// The files of a task: all classes, or one part of them renumbered from 0.
    package func files(of part: Part?) -> (trainList: String, validationList: String, testList: String, labels: String) {
        guard let part else { return (trainList, validationList, testList, labels) }
        func file(_ name: String) -> String { root.appendingPath("\(part.rawValue)-\(name)") }
        return (file("train.txt"), file("val.txt"), file("test.txt"), file("labels.csv"))
    }

    /// Halves of the classes: those that base-to-novel runs learn, and those that they never see.
    package enum Part: String, CaseIterable, Sendable {
        case base, novel
    }

    /// The names of what is in the folder.
    package var entries: [String] {
        ([nil] + Part.allCases).map(files).flatMap { [$0.trainList, $0.validationList, $0.testList, $0.labels] }.map(\.lastPathComponent)
            + [stamp.lastPathComponent, "videos"]
    }

    private var stamp: String { root.appendingPath("complete.txt") }

    /// - Parameter root: the folder that holds, or will hold, `videos`, lists and labels.
    package init(root: String) { self.root = root }

    /// Whether the folder holds all of `catalog`, as this version draws it.
    package func isComplete(for catalog: PocketCatalog) -> Bool {
        guard let bytes = try? InputFile.contents(of: stamp, limit: 4096) else { return false }
        return String(decoding: bytes, as: UTF8.self) == Self.stampText(of: catalog)
    }

    /// Draws and encodes every video; threads share the work through `perform`.
    ///
    /// - Parameters:
    ///   - perform: runs a body for each number below a count.
    ///   - report: called after each video, from any thread.
    /// - Throws: `VideoError` or `FileError` of the first video that could not be written.
    package func write(
        _ catalog: PocketCatalog, perform: (_ count: Int, _ body: @escaping @Sendable (Int) -> Void) -> Void,
        report: @escaping @Sendable () -> Void
    ) throws {
        let (train, validation, test) = (catalog.train, catalog.validation, catalog.test)
        let entries = train + validation + test
        for folder in Set(entries.map(\.path.parentDirectory)) { try createDirectory(root.appendingPath(folder)) }
        let errors = FirstError()
        perform(entries.count) { [root] index in
            guard !errors.isNoted else { return }
            do {
                try Self.write(entries[index].video, to: root.appendingPath(entries[index].path))
                report()
            } catch {
                errors.note(error, item: index)
            }
        }
        try errors.check()
        let classes = ClassNames(catalog.classes.map(\.name))
        for part in [nil] + Part.allCases {
            let members: ClassSubset? = part.map { part in
                ClassSubset(members: part == .base ? 0..<classes.count / 2 : classes.count / 2..<classes.count)
            }
            let files = files(of: part)
            for (entries, list) in [(train, files.trainList), (validation, files.validationList), (test, files.testList)] {
                let clips = entries.map { AnnotatedClip(path: $0.path, label: $0.label) }
                try DurableFile.write(AnnotationList.bytes(of: members?.clips(of: clips) ?? clips), to: list)
            }
            try DurableFile.write((members?.names(of: classes) ?? classes).text, to: files.labels)
        }
        try DurableFile.write(Self.stampText(of: catalog), to: stamp)
    }

    private static func write(_ video: PocketVideo, to path: String) throws {
        var writer = try VideoWriter(
            path: path, width: PocketVideo.width, height: PocketVideo.height, framesPerSecond: Double(PocketVideo.framesPerSecond))
        for frame in video.frames() { try writer.append(frame) }
        // A video can be drawn again; waiting for the disk would take longer than drawing it.
        let bytes = try writer.finishedBytes()
        var file = try DurableFile(path: path, expectedByteCount: bytes.count)
        try file.write(bytes)
        try file.commitWithoutWaiting()
    }

    /// Changes when videos would be drawn differently, so that an old folder is made anew.
    private static func stampText(of catalog: PocketCatalog) -> String {
        "\(catalog.name) seed \(catalog.seed) version \(PocketCatalog.version): "
            + "\(catalog.classes.count) classes × (\(catalog.trainCountPerClass) + \(catalog.validationCountPerClass) + \(catalog.testCountPerClass)) videos\n"
    }
}

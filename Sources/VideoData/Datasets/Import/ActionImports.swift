import Files
import Foundation

extension ImportedSet {
    // MARK: UCF-101

    /// UCF-101: `classInd.txt` with classes from 1 on, `trainlist0N.txt` of `Class/video.avi number`,
    /// `testlist0N.txt` of `Class/video.avi`. The part of `testlist01.txt` is called `val1`.
    static func ucf(_ lists: [PublishedFile], index: [PublishedFile]) throws(DatasetError) -> ImportedSet {
        guard index.count == 1 else {
            throw DatasetError(path: index[0].path, problem: .mixedForms(index.map(\.path.lastPathComponent)))
        }
        guard !lists.isEmpty else {
            throw DatasetError(
                path: index[0].path,
                problem: .needsFile(words: "names classes only. Give trainlist01.txt and testlist01.txt too, or their folder."))
        }
        let classes = try numberedClasses(index[0].path)
        var parts: [Part] = []
        for file in lists {
            let name = file.path.lastPathComponent
            let number = name.filter(\.isNumber).last.map { String($0) } ?? ""
            let part = partName(name) ?? (file.form == .paths ? "test" : "train")
            parts.append(
                Part(name: (part == "train" ? "train" : "val") + number, source: file.path, clips: try ucfClips(file.path, classes)))
        }
        return ImportedSet(kind: "UCF-101", classes: classes, parts: parts)
    }

    private static func numberedClasses(_ path: String) throws(DatasetError) -> ClassNames {
        var lines = try LineReader(path: path, lineLimit: AnnotationList.lineLimit)
        var names: [String] = []
        while let line = try lines.next() {
            let text = line.trimmingBlanks()
            if text.isEmpty { continue }
            guard let (number, name) = PublishedFile.numberedName(text) else {
                throw DatasetError(path: path, line: lines.lineNumber, problem: .labelNotANumber(text))
            }
            guard number == names.count + 1 else {
                throw DatasetError(path: path, line: lines.lineNumber, problem: .numberNotNext(found: number, expected: names.count + 1))
            }
            names.append(name)
        }
        guard !names.isEmpty else { throw DatasetError(path: path, problem: .noClasses) }
        return ClassNames(names)
    }

    /// The folder names the class; a number, where there is one, must agree with it.
    private static func ucfClips(_ path: String, _ classes: ClassNames) throws(DatasetError) -> [AnnotatedClip] {
        var lines = try LineReader(path: path, lineLimit: AnnotationList.lineLimit)
        var clips: [AnnotatedClip] = []
        while let line = try lines.nextOfPaths() {
            let text = line.trimmingBlanks()
            if text.isEmpty { continue }
            func fault(_ problem: DatasetError.Problem) -> DatasetError {
                DatasetError(path: path, line: lines.lineNumber, problem: problem)
            }
            var video = text
            var number: Int?
            if let blank = text.lastIndex(where: { $0 == " " || $0 == "\t" }), let last = Int(text[text.index(after: blank)...]) {
                video = String(text[..<blank]).trimmingBlanks()
                number = last
            }
            try DatasetError.checkPath(video, file: path, line: lines.lineNumber)
            let folder = video.parentDirectory.lastPathComponent
            guard let label = classes.index(of: folder) else {
                throw fault(.unknownClass(folder, nearest: folder.nearest(among: classes.names)))
            }
            if let number, number != label + 1 {
                guard (1...classes.count).contains(number) else {
                    throw fault(.labelOutOfRange(label: number, classCount: classes.count))
                }
                throw fault(.labelContradictsFolder(label: number, named: classes[number - 1], folder: folder))
            }
            clips.append(AnnotatedClip(path: video, label: label))
        }
        return clips
    }

    // MARK: HMDB-51

    /// HMDB-51: one file a class and split, `<class>_test_split1.txt`, lines `video.avi use`: 1 to train, 2 to
    /// test, 0 for neither. Classes are numbered in the order of their names.
    static func hmdb(_ files: [PublishedFile], classes given: ClassNames?) throws(DatasetError) -> ImportedSet {
        var found: [(className: String, number: Int, path: String)] = []
        for file in files {
            if case .hmdbSplit(let className, let number) = file.form { found.append((className, number, file.path)) }
        }
        let names = Set(found.map(\.className)).sorted()
        let classes = try hmdbClasses(names, given: given, file: files[0].path)
        var parts: [Part] = []
        for number in Set(found.map(\.number)).sorted() {
            let ofSplit = found.filter { $0.number == number }
            var (train, val): ([AnnotatedClip], [AnnotatedClip]) = ([], [])
            for (position, name) in names.enumerated() {
                // A class that lacks a split would silently be one that is never tested.
                guard let file = ofSplit.first(where: { $0.className == name }) else {
                    throw DatasetError(
                        path: ofSplit[0].path,
                        problem: .needsFile(words: "split \(number) lacks \(name.escapedForDisplay)_test_split\(number).txt. Put it beside this file."))
                }
                try readHMDB(file.path, className: name, label: classes.numbers[position], train: &train, val: &val)
            }
            parts.append(Part(name: "train\(number)", source: ofSplit[0].path, clips: train))
            parts.append(Part(name: "val\(number)", source: ofSplit[0].path, clips: val))
        }
        return ImportedSet(kind: "HMDB-51", classes: classes.names, parts: parts)
    }

    /// The class list, and the number of each of `names` in it.
    private static func hmdbClasses(
        _ names: [String], given: ClassNames?, file: String
    ) throws(DatasetError) -> (names: ClassNames, numbers: [Int]) {
        guard let given else { return (ClassNames(names), Array(names.indices)) }
        func plain(_ name: String) -> String { name.lowercased().filter { $0 != "_" && $0 != " " } }
        let numbers = Dictionary(zip(given.names.map(plain), 0...)) { first, _ in first }
        var result: [Int] = []
        for name in names {
            guard let number = numbers[plain(name)] else {
                throw DatasetError(path: file, problem: .unknownClass(name, nearest: name.nearest(among: given.names)))
            }
            result.append(number)
        }
        return (given, result)
    }

    private static func readHMDB(
        _ path: String, className: String, label: Int, train: inout [AnnotatedClip], val: inout [AnnotatedClip]
    ) throws(DatasetError) {
        var lines = try LineReader(path: path, lineLimit: AnnotationList.lineLimit)
        while let line = try lines.nextOfPaths() {
            let text = line.trimmingBlanks()
            if text.isEmpty { continue }
            guard let blank = text.lastIndex(where: { $0 == " " || $0 == "\t" }) else {
                throw DatasetError(path: path, line: lines.lineNumber, problem: .oneField)
            }
            let video = className + "/" + String(text[..<blank]).trimmingBlanks()
            try DatasetError.checkPath(video, file: path, line: lines.lineNumber)
            let clip = AnnotatedClip(path: video, label: label)
            switch text[text.index(after: blank)...] {
            case "0": break
            case "1": train.append(clip)
            case "2": val.append(clip)
            case let other:
                throw DatasetError(path: path, line: lines.lineNumber, problem: .labelNotANumber(String(other)))
            }
        }
    }
}

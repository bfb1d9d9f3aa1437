import Files
import Foundation

extension ImportedSet {
    /// Lists of ViFi-CLIP, X-CLIP, Text4Vis, EZ-CLIP, ActionCLIP, Open-VCLIP and mmaction2, with their class names. What a
    /// list is for is read off its name; a digit after it is kept, as in `val1.txt`.
    ///
    /// - Parameter root: of the videos that are looked for afterwards; nil where paths stay as they are.
    static func lists(
        _ files: [PublishedFile], classes given: ClassNames?, first: PublishedFile, root: String?
    ) throws(DatasetError) -> ImportedSet {
        guard !files.isEmpty else {
            throw DatasetError(path: first.path, problem: .needsFile(words: "names classes only. Give the lists of videos too."))
        }
        for file in files where file.form != .clips {
            throw DatasetError(
                path: file.path,
                problem: .needsFile(words: "lists videos without labels. If they are UCF-101's, give classInd.txt too."))
        }
        let classes: ClassNames
        if let given { classes = given } else { classes = try named(in: files, root: root) }
        var parts: [Part] = []
        var warnings: [DatasetWarning] = []
        for file in files {
            let list = try AnnotationList.read(file.path, root: root ?? "", classes: classes, takesForeignPaths: root != nil)
            warnings += list.warnings
            parts.append(Part(name: listName(file.path, taken: parts.map(\.name)), source: file.path, clips: list.clips))
        }
        var set = ImportedSet(kind: "lists", classes: classes, parts: parts)
        set.warnings += warnings
        return set
    }

    /// The names that lists write in the place of labels, in their order.
    private static func named(in files: [PublishedFile], root: String?) throws(DatasetError) -> ClassNames {
        var names: Set<String> = []
        for file in files {
            let list = try AnnotationList.read(file.path, root: root ?? "", takesForeignPaths: root != nil)
            guard let found = list.labelNames else {
                throw DatasetError(
                    path: file.path,
                    problem: .needsFile(
                        words: "needs class names beside it: a CSV `id,name`, a label_map.txt with one name per line, or UCF-101's classInd.txt."))
            }
            names.formUnion(found.names)
        }
        return ClassNames(names.sorted())
    }

    /// Holds the numbers of frames that published lists state against some of the videos.
    ///
    /// Videos that were downloaded again may have other numbers; where most disagree the numbers are not counts of frames.
    ///
    /// - Throws: `otherFrameCount`.
    package func checkFrameCounts(root: String) throws(DatasetError) {
        for part in parts {
            let list = AnnotationList(path: part.source, root: root, clips: part.clips)
            if let fault = list.frameCountFault(among: 16, share: 0.5) { throw fault }
        }
    }

    /// `train` for `kinetics400_train_list_videos.txt`, `val1` for `hmdb51_val1.txt`; the file's own name where
    /// that says more, as `train1_few_shot_4.txt` does.
    private static func listName(_ path: String, taken: [String]) -> String {
        var stem = path.lastPathComponent
        if let dot = stem.lastIndex(of: "."), dot > stem.startIndex { stem = String(stem[..<dot]) }
        guard let part = partName(stem), saysNoMore(stem) else { return stem }
        // The digit right after the word, as in `val1` or `train_split_2`.
        let word = part == "val" ? "val" : part
        let after = stem.lowercased().range(of: word).map { stem[$0.upperBound...] } ?? ""
        let number = after.first { $0.isNumber }.map { String($0) } ?? ""
        let name = part + number
        return taken.contains(name) ? stem : name
    }

    /// Whether a list's name holds nothing but the data set's name, what the list is for, and a number.
    private static func saysNoMore(_ stem: String) -> Bool {
        let plain: Set = ["", "train", "training", "val", "valid", "validation", "test", "testing", "list", "videos", "split"]
        let words = stem.lowercased().split { $0 == "_" || $0 == "-" || $0 == "." }.map { $0.filter { !$0.isNumber } }
        let draws: Set = ["base", "novel", "fs"]
        return words.enumerated().allSatisfy { plain.contains($0.element) || $0.offset == 0 && !draws.contains($0.element) }
    }
}

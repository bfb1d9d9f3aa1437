import Files
import Recipes
import VideoData

/// Lists to score, one or several.
package struct TestListInputs {
    package var tests: [String]
    /// One for all lists, or one for each.
    package var labels: [String]

    package init(tests: [String] = [], labels: [String] = []) {
        self.tests = tests
        self.labels = labels
    }

    /// Reads all lists.
    ///
    /// - Parameters:
    ///   - recipe: names a list where the command line does not.
    ///   - prompts: name the classes where nobody else does.
    /// - Returns: none where nobody named any: the pocket world is meant.
    package func lists(_ recipe: Recipe, videos: VideoInputs, prompts: String? = nil, context: RunContext) throws -> [(name: String, test: TestList)] {
        let paths = tests.isEmpty ? [recipe.data.scored].compactMap(\.self) : tests
        let names = labels.isEmpty ? [recipe.data.labels].compactMap(\.self) : labels
        guard !(paths.isEmpty && names.isEmpty) else { return [] }
        if names.isEmpty, let learned = try EvaluationJob.learnedNames(prompts, context: context) {
            let titles = folderNames(paths)
            return try paths.enumerated().map { (titles[$0], try TestList($1, classes: learned, videos: videos, root: recipe.data.root, context: context)) }
        }
        guard !paths.isEmpty, let first = names.first else {
            throw SettingsError.incompleteData(missing: [paths.isEmpty ? "--test" : "--labels"])
        }
        let titles = folderNames(paths)
        let lists = try paths.enumerated().map { index, path in
            (titles[index], try TestList(path, labels: names.count > 1 ? names[index] : first, videos: videos, root: recipe.data.root, context: context))
        }
        if !videos.allowances.allowRepeats { try TestList.refuseRepeats(lists.map(\.1)) }
        return lists
    }
}

/// Names of files without folder and ending, made fit for folders and different from each other.
package func folderNames(_ paths: [String]) -> [String] {
    var taken: Set<String> = []
    return paths.map { path in
        var stem = Substring(path.lastPathComponent)
        if let dot = stem.lastIndex(of: "."), dot > stem.startIndex { stem = stem[..<dot] }
        let name = String(stem.map { $0.isASCII && ($0.isLetter || $0.isNumber || "-_".contains($0)) ? $0 : "-" })
        var candidate = name
        var number = 2
        while !taken.insert(candidate).inserted {
            candidate = "\(name)-\(number)"
            number += 1
        }
        return candidate
    }
}

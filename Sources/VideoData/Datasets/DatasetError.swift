import Files

/// What can be wrong with the lists that describe a data set, or with the videos they name.
package struct DatasetError: ReportableError, Equatable {
    package enum Problem: Sendable, Equatable {
        case file(FileError)
        // One line of a list.
        case lineTooLong(limit: Int)
        case zeroByte
        case notUTF8
        case oneField
        /// This line has a count of frames, line `other` has none.
        case threeColumns(other: Int)
        case twoColumns(other: Int)
        case severalNumbers(String)
        case noFramesStated(path: String)
        /// The video has another number of frames than the list says.
        case otherFrameCount(String, stated: Int, found: Int)
        // Parts of videos.
        case oneTimeUnmarked(String, String)
        case noTime(String)
        case timeOutOfRange(String)
        case endsBeforeStart(String, String)
        case partAmongCounts
        case partsNotTaken(by: String)
        case namesAndNumbers
        case unclosedQuote
        case labelNotANumber(String)
        case labelOutOfRange(label: Int, classCount: Int)
        case absolutePath(String)
        case leavesRoot(String)
        case protocolName(String)
        // The list as a whole.
        case noClips
        case tooManyLines(limit: Int)
        case missingFiles(first: [String], count: Int, total: Int, root: String)
        /// The same while importing, where missing videos can be left out.
        case videosNotFound(first: [String], count: Int, total: Int, root: String)
        /// Several videos could be meant, or one by several lines.
        case videosUndecided(first: [String], count: Int, total: Int, root: String)
        case linkLeavesRoot(String, target: String)
        // Class names.
        case header(found: [String])
        case fieldCount(found: Int, expected: Int)
        case tooManyFields(limit: Int)
        case textAfterQuote
        case emptyName
        case noClasses
        case listInPlaceOfNames
        case classCount(found: Int, expected: Int)
        // Splits and folders.
        case badShotCount(Int)
        case tooFewClasses(Int)
        case noClassFolders
        case lineBreakInName(String)
        // Lists as published.
        case unknownForm
        case packed(String)
        case mixedForms([String])
        case needsFile(words: String)
        case missingColumn(String, found: [String])
        case notANumber(String, column: String)
        case unknownClass(String, nearest: String?)
        case labelContradictsFolder(label: Int, named: String, folder: String)
        case numberNotNext(found: Int, expected: Int)
        case notJSON(reason: String)
        /// A file of an annotation program.
        case annotation(AnnotationFault)
        case badShares(val: Double, test: Double)
        /// Of a split.
        case nothingToLearn(names: [String])
        case wouldOverwrite(files: [String])
        // Captions.
        case captionHeader(found: [String])
        case textTooLong(limit: Int)
        case noVideo
        case emptyCaption
        case noCaptions
        case unknownVideo(String, file: String)
        // What would make a result false.
        case sharedVideos(SameVideo)
        case videoDrawnTwice(SameVideo)
        case untrainedClasses(names: [String], train: String)
        /// The same list given again as if it were another one.
        case repeatedList(first: String)
        // Videos met while loading.
        case tooManyBadVideos(first: [String], count: Int, total: Int, limit: Int)
    }

    /// A video that is in two places, with the other place.
    package struct SameVideo: Sendable, Equatable {
        let video: String
        let other: String
        let otherList: String
        let otherLine: Int?
        let isOneFile: Bool
        /// Parts of one file, or of two with the same bytes, that have moments in common.
        let overlaps: Bool
        /// Of such videos, as far as they were looked for.
        let count: Int
        let isCutShort: Bool

        init(_ video: String, _ other: String, otherList: String, otherLine: Int?, isOneFile: Bool, overlaps: Bool = false, count: Int, isCutShort: Bool) {
            self.overlaps = overlaps
            (self.video, self.other, self.otherList, self.otherLine) = (video, other, otherList, otherLine)
            (self.isOneFile, self.count, self.isCutShort) = (isOneFile, count, isCutShort)
        }

        /// "'b.mp4' has the same bytes as 'a.mp4' of train.txt:3; 2 such videos were found"
        var words: String {
            let place = otherList.escapedForDisplay + (otherLine.map { ":\($0)" } ?? "")
            let same = video.hasSameBytes(as: other) && isOneFile
            return "'\(video.escapedForDisplay)' "
                + (same ? "is also in \(place)" : "\(overlaps ? "overlaps" : isOneFile ? "is the same file as" : "has the same bytes as") '\(other.escapedForDisplay)' of \(place)")
                + (count > 1 ? "; \(isCutShort ? "more than " : "")\(count) such videos were found" : "")
        }
    }

    package let path: String
    /// Counted from 1.
    package let line: Int?
    package let problem: Problem

    package init(path: String, line: Int? = nil, problem: Problem) {
        self.path = path
        self.line = line
        self.problem = problem
    }

    package var exitStatus: ExitStatus {
        switch problem {
        case .file(let error): error.exitStatus
        case .missingFiles, .videosNotFound, .videosUndecided: .missingInput
        case .needsFile, .badShares, .repeatedList: .usage
        case .wouldOverwrite: .inputOutput
        case .classCount, .badShotCount, .tooFewClasses: .badConfiguration
        default: .badData
        }
    }

    package var description: String {
        if case .file(let error) = problem { return error.description }
        let place = line.map { "\(path.escapedForDisplay):\($0)" } ?? path.escapedForDisplay
        return "\(place): \(words)"
    }

    private var words: String {
        switch problem {
        case .file(let error):
            error.description
        case .lineTooLong(let limit):
            "a line is longer than \(limit) bytes. Is it the right file?"
        case .zeroByte:
            "holds a zero byte. Save it as plain UTF-8 text."
        case .notUTF8:
            "is not UTF-8. Save it as plain UTF-8 text."
        case .oneField:
            "needs a path and a label, such as `walk/clip1.mp4 3`. "
                + "Lists without labels, such as UCF-101's test lists, are brought into this form by `vifi-prompt data import`."
        case .threeColumns(let other):
            "has three columns, path, number of frames and label; line \(other) has two. All lines need the same columns: "
                + "give every video its number of frames or none, and put paths that end in a number in double quotes."
        case .twoColumns(let other):
            "has two columns, path and label; line \(other) has three, with a number of frames between them. All lines need "
                + "the same columns: give every video its number of frames or none."
        case .severalNumbers(let text):
            "\(quoted(text)) ends in more than two numbers. Lists give each video one label, `path label` or `path frames label`; "
                + "lists with several labels per video are not supported. Put a path that ends in numbers in double quotes; write the "
                + "times of a part with a decimal point, `path 3.0 7.0 label`."
        case .noFramesStated(let path):
            "says that \(quoted(path)) has 0 frames. A number between path and label counts frames; lists with several "
                + "labels per video are not supported."
        case .otherFrameCount(let path, let stated, let found):
            "says that \(quoted(path)) has \(counted(stated, "frame", "frames")), but it has \(found). A number between path and label "
                + "counts frames; lists with several labels per video are not supported. If it is the right video, remove the numbers."
        case .oneTimeUnmarked(let first, let second):
            "of \(quoted(first)) and \(quoted(second)) one is written as a time and one as a number of frames. Write the times of a part "
                + "with a decimal point, `path 3.0 7.5 label`; put a path that ends in a number in double quotes."
        case .noTime(let text):
            "\(quoted(text)) is no time. Write seconds, such as 3.2, or hours, minutes and seconds, such as 0:01:03.2."
        case .timeOutOfRange(let text):
            "\(quoted(text)) is no time within a video. Times are seconds from its first frame on, 0.0 or more."
        case .endsBeforeStart(let first, let second):
            "the part ends at \(quoted(second)), which is not after its start at \(quoted(first)). Write the start first, `path start end label`, "
                + "at least a microsecond apart."
        case .partAmongCounts:
            "the list names parts of videos and states numbers of frames, which are those of whole videos. Remove these numbers, or list parts on their own."
        case .partsNotTaken(let what):
            "lists parts of videos, and \(what) looks at whole ones. List the videos without times."
        case .namesAndNumbers:
            "has numbers and names for labels. Pass the class names with --labels, or write numbers alone."
        case .unclosedQuote:
            "opens a double quote and does not close it. Write a quote inside quotes twice."
        case .labelNotANumber(let text):
            "the label is \(quoted(text)), but a class number from 0 on is needed."
        case .labelOutOfRange(let label, let classCount):
            label < 0 || classCount >= AnnotationList.labelLimit
                ? "label \(label); labels are whole numbers from 0 on, and below \(classCount)."
                : "label \(label), but there are \(classCount) classes (0 to \(classCount - 1)). "
                + "Check that list and class names belong together."
                + (label == classCount
                    ? " If the list counts from 1, as UCF-101's do, `vifi-prompt data import` brings it into this form." : "")
        case .absolutePath(let name):
            "\(quoted(name)) is an absolute path. Write paths relative to the list, or to --root."
        case .leavesRoot(let name):
            "\(quoted(name)) leaves the data folder with `..`. Choose a --root that holds all videos."
        case .protocolName(let name):
            "\(quoted(name)) is an address, not a file. Download the video and list its file."
        case .noClips:
            "lists no clips. Each line holds a path and a label."
        case .tooManyLines(let limit):
            "has more than \(limit) lines."
        case .missingFiles(let first, let count, let total, let root):
            "\(count) of \(total) files are missing under \(root.escapedForDisplay):\n"
                + Self.lines(first, of: count) + "Set --root to the folder that the paths start from, or remove the lines."
        case .videosNotFound(let first, let count, let total, let root):
            "\(count) of \(total) videos were not found under \(root.escapedForDisplay), neither at their published paths nor under unique names:\n"
                + Self.lines(first, of: count) + "Set --root to the folder that holds the videos, or leave them out with --skip-missing."
        case .videosUndecided(let first, let count, let total, let root):
            "for \(count) of \(total) videos it is unclear which file under \(root.escapedForDisplay) is meant:\n"
                + Self.lines(first, of: count)
                + "Lay them out as published, set --root to a folder that holds each video once, or leave them out with --skip-missing."
        case .linkLeavesRoot(let name, let target):
            "\(quoted(name)) is a link out of the data folder, to \(quoted(target)). "
                + "Allow it with --follow-links if that is meant."
        case .header(let found):
            "the first line is \(quoted(found.joined(separator: ","))), but the header `id,name` is needed."
        case .fieldCount(let found, let expected):
            "there are \(found) fields, but the header has \(expected). Put names that contain commas in double quotes."
        case .tooManyFields(let limit):
            "has more than \(limit) fields. Is it the right file?"
        case .textAfterQuote:
            "text follows a closing quote. Write a quote inside quotes twice."
        case .emptyName:
            "the class has no name."
        case .noClasses:
            "names no classes. Each line after the header `id,name` holds one."
        case .listInPlaceOfNames:
            "is a list of videos, but class names are needed: one per line, or CSV with the header `id,name`."
        case .classCount(let found, let expected):
            "names \(found) classes, but \(expected) are expected."
        case .badShotCount(let count):
            "\(count) clips per class cannot be drawn. Ask for 1 or more."
        case .tooFewClasses(let count):
            "\(count) classes cannot be split into base and novel. At least 2 are needed."
        case .noClassFolders:
            "holds no folders with videos in them. Make one folder per class and put its videos inside."
        case .lineBreakInName(let name):
            "\(quoted(name)) has a line break in its name, which a list cannot hold. Rename it."
        case .unknownForm:
            "is not a list or label file that `vifi-prompt data import` knows. `vifi-prompt data import --help` names those."
        case .packed(let kind):
            "is a \(kind) archive. Unpack it and give its files or their folder."
        case .mixedForms(let forms):
            "these files belong to different data sets: \(forms.joined(separator: "; ")). Import one data set at a time."
        case .needsFile(let words):
            words
        case .missingColumn(let column, let found):
            "there is no column \(quoted(column)); the first line is \(quoted(found.joined(separator: ",")))."
        case .notANumber(let text, let column):
            "\(quoted(text)) in the column \(quoted(column)) is not a whole number from 0 on."
        case .unknownClass(let name, let nearest):
            "the class list has no \(quoted(name))." + (nearest.map { " Did it mean \(quoted($0))?" } ?? "")
        case .labelContradictsFolder(let label, let named, let folder):
            "label \(label) is \(quoted(named)), but the video lies in \(quoted(folder))."
        case .numberNotNext(let found, let expected):
            "class \(found) is where class \(expected) is expected. The numbers must run from 1 without gaps."
        case .notJSON(let reason):
            "is not the expected JSON: \(reason.escapedForDisplay)."
        case .annotation(let fault):
            fault.words
        case .badShares(let val, let test):
            "the shares that are set aside are \(val) and \(test); each must be 0 or more, and together they must be below 1."
        case .nothingToLearn(let names):
            "all videos with \(DatasetWarning.list(names)) would be set aside, as parts of them are of other classes, and nothing would be left to "
                + "learn from. Choose another --seed, set less aside, or add videos."
        case .wouldOverwrite(let files):
            "already contains \(files.prefix(5).map { $0.escapedForDisplay }.joined(separator: ", ")). "
                + "Choose another --output, or overwrite with --force."
        case .captionHeader(let found):
            "the first line is \(quoted(found.joined(separator: ","))), but the header `video,caption` is needed. "
                + "MSR-VTT's own files are brought into this form by `vifi-prompt data import`."
        case .textTooLong(let limit):
            "a path or a caption is longer than \(limit) bytes. Is a double quote missing?"
        case .noVideo:
            "the row names no video."
        case .emptyCaption:
            "the caption is empty. Give it words, or remove the row."
        case .noCaptions:
            "holds no captions. Each line after the header `video,caption` names a video and what is said about it."
        case .unknownVideo(let name, let file):
            "\(quoted(name)) is not in \(file.escapedForDisplay)."
        case .sharedVideos(let same):
            same.words + ". Accuracy on videos that were learned from means nothing. Remove it from one of the lists, or allow it with --allow-shared-videos."
        case .videoDrawnTwice(let same):
            same.words + ", so one video could be drawn twice. Remove one of them, or allow it with --allow-repeats."
        case .untrainedClasses(let names, let train):
            "videos of \(DatasetWarning.list(names)) are scored, but \(train.escapedForDisplay) holds none to learn from. Add some, remove "
                + "the class from the validation list, or allow it with --allow-untrained-classes."
        case .repeatedList(let first):
            "is the same list as \(first.escapedForDisplay), so a mean over both would count it twice. Name it once, or allow "
                + "it with --allow-repeats."
        case .tooManyBadVideos(let first, let count, let total, let limit):
            "\(count) of \(total) videos cannot be read, more than the \(limit) that a run tolerates:\n"
                + Self.lines(first, of: count)
                + "`vifi-prompt data check LIST --write-good NEW` names all of them and writes a list without them."
        }
    }

    /// A line for each of the first names, and how many there are besides.
    private static func lines(_ first: [String], of count: Int) -> String {
        first.map { "  \($0.escapedForDisplay)\n" }.joined() + (count > first.count ? "  and \(count - first.count) more\n" : "")
    }

    private func quoted(_ text: String) -> String {
        let shown = text.count > 120 ? String(text.prefix(120)) + "…" : text
        return "'\(shown.escapedForDisplay)'"
    }
}

/// Something odd in a list that does not stop the work.
package enum DatasetWarning: Sendable, Equatable, CustomStringConvertible {
    /// Lines that name a path already named on an earlier line.
    case repeatedPaths(list: String, first: String, line: Int, count: Int)
    /// A path listed again under another label.
    case contradictingLabels(list: String, first: String, line: Int, count: Int)
    /// Clips of videos of which the other list holds other parts.
    case sharedVideoParts(list: String, first: String, line: Int?, other: String, otherList: String, count: Int)
    case repeatedNames(file: String, name: String, rows: [Int])
    /// The id column is numeric and disagrees with the order of rows, which is what counts.
    case idsOutOfOrder(file: String, line: Int)
    case fewerShots(asked: Int, classes: [(name: String, clips: Int)])
    case emptyClasses(names: [String])
    case classesWithoutVideos(list: String, names: [String])
    case oneClass(name: String)
    /// Published lists that name no classes, as those of test sets kept back.
    case noLabels(file: String)
    /// Videos left out because they are not there.
    case leftOut(list: String, first: String, count: Int, total: Int)
    /// Videos left out because several could be meant.
    case undecided(list: String, first: String, count: Int, total: Int)
    /// Annotations of kinds that give no labels in time.
    case passedOver(file: String, kinds: [(name: String, count: Int)])
    /// Answers of time lines that are none of the classes.
    case noneOfTheClasses(file: String, names: [(name: String, count: Int)])
    /// Rows that repeat a video and its caption.
    case repeatedCaptions(list: String, first: String, line: Int, count: Int)
    /// Learned and never tested.
    case classesOnlyInTraining(names: [String], list: String)
    case namesDifferByCase(file: String, names: [String])
    /// A class folder whose name is not UTF-8.
    case nameNotText(file: String, name: String)
    /// All labels from 1 to `last` occur, and 0 does not.
    case labelsFromOne(list: String, last: Int)
    /// One video cannot be in both parts.
    case untestedClasses(names: [String])
    /// Of a split of parts of videos: classes whose videos all went to other lists.
    case classesNotDrawn(list: String, names: [String])
    /// Of a split: classes with too few videos for a validation list.
    case unvalidatedClasses(names: [String])

    package var description: String {
        switch self {
        case .repeatedPaths(let list, let first, let line, let count):
            "\(list.escapedForDisplay):\(line): '\(first.escapedForDisplay)' is listed again"
                + (count > 1 ? ", and \(count - 1) more such lines." : ".")
        case .contradictingLabels(let list, let first, let line, let count):
            "\(list.escapedForDisplay):\(line): '\(first.escapedForDisplay)' is listed again with another label"
                + (count > 1 ? ", and \(count - 1) more such lines." : ".")
        case .sharedVideoParts(let list, let first, let line, let other, let otherList, let count):
            "\(list.escapedForDisplay)\(line.map { ":\($0)" } ?? ""): '\(first.escapedForDisplay)' is of the same video as '\(other.escapedForDisplay)' of "
                + "\(otherList.escapedForDisplay)" + (count > 1 ? ", and so \(count == 2 ? "is 1 more clip" : "are \(count - 1) more clips")" : "")
                + ". Scene and people are the same, so accuracy says less about other videos."
        case .repeatedNames(let file, let name, let rows):
            "\(file.escapedForDisplay): classes \(rows.map(String.init).joined(separator: " and ")) are both called "
                + "'\(name.escapedForDisplay)'; CLIP cannot tell them apart."
        case .idsOutOfOrder(let file, let line):
            "\(file.escapedForDisplay):\(line): the id differs from the row; classes are numbered by row, from 0."
        case .fewerShots(let asked, let classes):
            "fewer than \(asked) clips in " + Self.list(classes.map { "\($0.name) (\($0.clips))" })
                + "; all of them are used."
        case .emptyClasses(let names):
            "no clips at all in " + Self.list(names) + "."
        case .classesWithoutVideos(let list, let names):
            "\(list.escapedForDisplay): no videos of " + Self.list(names) + "."
        case .oneClass(let name):
            "there is only one class, '\(name.escapedForDisplay)', so every answer is correct and says nothing."
        case .noLabels(let file):
            "\(file.escapedForDisplay): names no classes; it is skipped."
        case .leftOut(let list, let first, let count, let total):
            "\(list.escapedForDisplay): \(count) of \(total) videos are missing and left out; the first is "
                + "'\(first.escapedForDisplay)'."
        case .undecided(let list, let first, let count, let total):
            "\(list.escapedForDisplay): for \(count) of \(total) videos it is unclear which file is meant; they are left out. The first is "
                + "'\(first.escapedForDisplay)'."
        case .passedOver(let file, let kinds):
            "\(file.escapedForDisplay): passed over, as it gives a video no label in time: "
                + kinds.prefix(10).map { "\($0.name.escapedForDisplay) (\($0.count))" }.joined(separator: ", ") + "."
        case .noneOfTheClasses(let file, let names):
            "\(file.escapedForDisplay): left out, as answers that are none of the classes: "
                + names.prefix(10).map { "'\($0.name.escapedForDisplay)' (\($0.count))" }.joined(separator: ", ")
                + (names.count > 10 ? " and \(names.count - 10) more" : "") + ". Where one is a class, give its rows a probability, in JSON a label."
        case .repeatedCaptions(let list, let first, let line, let count):
            "\(list.escapedForDisplay):\(line): this video already has the caption '\(String(first.prefix(60)).escapedForDisplay)'"
                + (count > 1 ? ", and \(count - 1) more such lines." : ".")
        case .classesOnlyInTraining(let names, let list):
            "\(list.escapedForDisplay): holds no clips of " + Self.list(names) + "; they are learned and not tested."
        case .namesDifferByCase(let file, let names):
            "\(file.escapedForDisplay): \(names.map { "'\($0.escapedForDisplay)'" }.joined(separator: " and ")) differ in upper and lower case "
                + "only; to CLIP they are one name."
        case .nameNotText(let file, let name):
            "\(file.escapedForDisplay): the folder '\(name.escapedForDisplay)' has no UTF-8 name, so the class is called as it is written here. "
                + "Give it a name that can be read in labels.csv."
        case .labelsFromOne(let list, let last):
            "\(list.escapedForDisplay): labels run from 1 to \(last) and none is 0. Labels count from 0: if these count from 1, each clip has "
                + "the name of the class after its own."
        case .untestedClasses(let names):
            "only one video in " + Self.list(names) + "; it is learned from and not tested."
        case .classesNotDrawn(let list, let names):
            "the \(list) list has nothing of " + Self.list(names) + ": all their videos, which have parts of other classes, were drawn for other lists."
        case .unvalidatedClasses(let names):
            "too few videos for a validation list in " + Self.list(names) + "; they are learned from and tested."
        }
    }

    static func list(_ names: [String]) -> String {
        let shown = names.prefix(10).map(\.escapedForDisplay).joined(separator: ", ")
        return names.count > 10 ? shown + " and \(names.count - 10) more classes" : shown
    }

    package static func == (left: DatasetWarning, right: DatasetWarning) -> Bool {
        left.description == right.description
    }
}

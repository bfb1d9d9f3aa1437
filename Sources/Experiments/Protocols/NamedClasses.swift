import CLIPModel
import Files
import VideoData

extension TestList {
    /// The clips of some classes alone, to be scored among each other: a smaller closed set.
    ///
    /// - Parameter members: names as a list with commas has them. A name that has commas itself is put together again.
    /// - Throws: `NamedClassError` for a name that is none of the classes, with the one that is nearest.
    package func limited(to members: [String], context: RunContext) throws(NamedClassError) -> TestList {
        let subset = ClassSubset(members: try Self.numbers(of: members, among: classes))
        let clips = subset.clips(of: list.clips)
        guard !clips.isEmpty else { throw .noVideos(list: list.path, names: subset.members.map { classes[$0] }) }
        var limited = TestList(
            list: AnnotationList(path: list.path, root: list.root, clips: clips), classes: subset.names(of: classes), sha256: sha256)
        limited.numbersInList = subset.members
        tellClassFaults(limited.classes, context: context)
        return limited
    }

    private static func numbers(of members: [String], among classes: ClassNames) throws(NamedClassError) -> [Int] {
        let known = classes.names.map(plain)
        var numbers: [Int] = []
        var start = 0
        while start < members.count {
            // The longest name that fits: "jumping, high" may stand beside "jumping".
            let found = (start..<members.count).reversed().lazy.compactMap { last in
                known.firstIndex(of: plain(members[start...last].joined(separator: ","))).map { (last: last, number: $0) }
            }.first
            guard let found else { throw .unknown(name: members[start], nearest: members[start].nearest(among: classes.names), among: classes.count) }
            guard !numbers.contains(found.number) else { throw .repeated(name: classes[found.number]) }
            numbers.append(found.number)
            start = found.last + 1
        }
        return numbers
    }

    /// Blanks beside a comma mean nothing.
    private static func plain(_ name: String) -> String {
        func trimmed(_ part: Substring) -> String { String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
        return name.split(separator: ",", omittingEmptySubsequences: false).map(trimmed).joined(separator: ",")
    }
}

/// Classes that were asked for by name and cannot be scored.
package enum NamedClassError: ReportableError, Equatable {
    case unknown(name: String, nearest: String?, among: Int)
    case repeated(name: String)
    case noVideos(list: String, names: [String])

    package var exitStatus: ExitStatus {
        switch self {
        case .unknown, .repeated: .usage
        case .noVideos: .badData
        }
    }

    package var description: String {
        switch self {
        case .unknown(let name, let nearest, let count):
            "--classes: \"\(name.escapedForDisplay)\" is not one of the \(counted(count, "class", "classes"))."
                + (nearest.map { " Did you mean \"\($0.escapedForDisplay)\"?" } ?? "")
        case .repeated(let name): "--classes: \"\(name.escapedForDisplay)\" is given twice."
        case .noVideos(let list, let names):
            "\(list.escapedForDisplay): holds no video of \(names.map { "\"\($0.escapedForDisplay)\"" }.joined(separator: ", "))."
        }
    }
}

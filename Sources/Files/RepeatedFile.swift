/// A file that is named twice where each is to say something new: under one name, through a link, or as a copy.
package struct RepeatedFile: ReportableError, Equatable {
    package let first: String
    package let again: String
    package let isOneFile: Bool

    package init(first: String, again: String, isOneFile: Bool) {
        self.first = first
        self.again = again
        self.isOneFile = isOneFile
    }

    package var exitStatus: ExitStatus { .usage }

    package var description: String {
        (first.hasSameBytes(as: again)
            ? "\(again.escapedForDisplay): is given twice"
            : "\(again.escapedForDisplay): \(isOneFile ? "is the same as" : "has the same bytes as") \(first.escapedForDisplay)")
            + ", so it adds nothing new. Name it once, or allow it with --allow-repeats."
    }

    /// - Parameter paths: files, of which those of one size are read, or folders, of which places are compared.
    package static func refuse(among paths: [String]) throws(RepeatedFile) {
        var places: [Bytewise: String] = [:]
        var bySize: [Int: [String]] = [:]
        for path in paths {
            guard let place = resolvedPath(path) else { continue }
            if let first = places[place] { throw RepeatedFile(first: first, again: path, isOneFile: true) }
            places[place] = path
            guard isRegularFile(path), let byteCount = try? InputFile(path: path).byteCount else { continue }
            for other in bySize[byteCount] ?? [] {
                guard let one = try? Digest.ofFile(other), one == (try? Digest.ofFile(path)) else { continue }
                throw RepeatedFile(first: other, again: path, isOneFile: false)
            }
            bySize[byteCount, default: []].append(path)
        }
    }
}

import Files

/// Public releases of CLIP whose files are known by their SHA-256: `Checkpoints/known.yaml`.
package struct KnownReleases {
    package struct Release: Sendable, Equatable {
        package let publisher: String
        package let file: String
        package let digest: String

        package var name: String { "\(publisher)/\(file)" }
    }

    package let releases: [Release]

    /// - Throws: `FileError` where the list that comes with the program is missing, `RecipeError` naming key and line.
    package init() throws { try self.init(path: BundledFiles.path(of: "Checkpoints/known.yaml")) }

    package init(path: String) throws {
        var faults: [RecipeError.Fault] = []
        var releases: [Release] = []
        let root = try RecipeDocument.read(path, source: path)
        for (publisher, files) in root.entries(&faults) {
            for (file, node) in files.entries(&faults) {
                guard let digest = node.text(&faults) else { continue }
                guard digest.utf8.count == 64, digest.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else {
                    faults.append(node.fault(.needs("a SHA-256 of 64 lower-case hexadecimal digits", found: digest)))
                    continue
                }
                releases.append(Release(publisher: publisher, file: file, digest: digest))
            }
        }
        guard faults.isEmpty else { throw RecipeError(faults) }
        self.releases = releases
    }

    /// `words` of the list that comes with the program. Without the list nothing is known, which is no failure.
    package static func words(file: String, digest: String) throws -> (known: String, warning: String?) {
        do {
            return try KnownReleases().words(file: file, digest: digest)
        } catch is FileError {
            return ("unknown, as Checkpoints/known.yaml is not here", nil)
        }
    }

    package func release(withDigest digest: String) -> Release? { releases.first { $0.digest == digest } }

    /// What a file's digest says about it: which release it is, or that it only has the name of one.
    package func words(file: String, digest: String) -> (known: String, warning: String?) {
        if let release = release(withDigest: digest) { return ("matches \(release.name)", nil) }
        guard let namesake = releases.first(where: { $0.file == file.lastPathComponent }) else { return ("none", nil) }
        return (
            "none",
            "\(file.escapedForDisplay): has the name of \(namesake.name), but not its SHA-256 (\(namesake.digest.prefix(12))…). "
                + "It is another model or a damaged download."
        )
    }
}

import Files
import Training

/// Runs that are one run, or a copy of it: together they say no more than one.
package enum SameRuns {
    /// - Throws: `RepeatedFile`.
    package static func refuse(among paths: [String]) throws {
        var seen: [String: String] = [:]
        for path in paths {
            let files = ["run.json", "config.yaml", "metrics.jsonl"].map { path.appendingPath($0) }.filter(isRegularFile)
            // Logs hold the time of each step: two runs of one seed differ in them, a copy does not.
            guard files.contains(where: { $0.lastPathComponent == "metrics.jsonl" }) else { continue }
            let key = try files.map { try Digest.ofFile($0) }.joined()
            if let first = seen[key] { throw RepeatedFile(first: first, again: path, isOneFile: resolvedPath(first) == resolvedPath(path)) }
            seen[key] = path
        }
    }
}

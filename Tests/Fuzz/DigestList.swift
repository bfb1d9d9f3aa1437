import Files
import WeightFiles

/// A line for each file that is refused and for each tensor of the others: file, name, shape and SHA-256 of
/// its floats, with tabs between.
func printDigests(of directory: String) throws {
    for name in try directoryEntries(directory) {
        do {
            let source = try openWeights(directory.appendingPath(name))
            var lines: [String] = []
            for tensor in source.tensors where tensor.elementType.isReadableAsFloat {
                var digest = Digest()
                try source.floats(named: tensor.name).withUnsafeBytes { digest.update($0) }
                lines.append("\(name)\t\(tensor.name.escapedForDisplay)\t\(tensor.shape)\t\(digest.hexadecimal)")
            }
            print("\(name)\tACCEPTED")
            lines.forEach { print($0) }
        } catch {
            print("\(name)\tREFUSED\t\(error)")
        }
    }
}

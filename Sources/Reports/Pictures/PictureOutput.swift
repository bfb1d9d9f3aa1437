import Charts
import Experiments
import Files
import Foundation

/// The files that a command will write, checked before it begins to work.
package struct PictureOutput {
    package static let folder = "pictures"

    /// Ending, with its dot, and path.
    package let files: [(ending: String, path: String)]

    /// - Parameters:
    ///   - outputs: folders and files; none for `folder`.
    ///   - name: of the files in a folder, without ending.
    ///   - endings: what can be written.
    ///   - isForced: whether files that others have made are replaced.
    /// - Throws: `PictureError` or `FileError` where something else was asked for or nothing can be written there.
    package init(_ outputs: [String], name: String, endings: [String], folder: String = PictureOutput.folder, isForced: Bool = false) throws {
        var files: [(ending: String, path: String)] = []
        for output in outputs.isEmpty ? [folder] : outputs {
            let last = output.lastPathComponent
            let ending = last.lastIndex(of: ".").map { last[$0...].lowercased() } ?? ""
            if isDirectory(output) || output.hasSuffix("/") || !ending.contains(/^\.[a-z][a-z0-9]{1,4}$/) {
                files += endings.map { ($0, output.appendingPath(name + $0)) }
            } else if endings.contains(ending) {
                files.append((ending, output))
            } else {
                throw PictureError.ending(path: output, ending: ending, known: endings)
            }
        }
        for file in files { try Self.checkWritable(file.path, isForced: isForced) }
        self.files = files
    }

    /// Before hours of work, not after them.
    ///
    /// - Parameter isForced: whether a file that this program did not draw is replaced.
    package static func checkWritable(_ path: String, isForced: Bool) throws {
        if isDirectory(path) { throw FileError(path: path, problem: .notRegular(kind: "a directory")) }
        var folder = path.parentDirectory
        while !fileExists(folder), folder.parentDirectory != folder { folder = folder.parentDirectory }
        guard isDirectory(folder) else {
            throw FileError(path: path, problem: .cannotCreate(reason: "\(folder.escapedForDisplay) is not a directory"))
        }
        guard unsafe access(folder, W_OK) == 0 else {
            throw FileError(path: path, problem: .cannotCreate(reason: "\(folder.escapedForDisplay) may not be written"))
        }
        guard isForced || !fileExists(path) || PictureMark.isIn(path) else { throw PictureError.exists(path: path) }
        try proveWritable(file: path)
    }

    /// Writes a chart in each form asked for, whole or not at all.
    package func write(_ chart: Chart, context: RunContext) throws {
        for file in files {
            try createDirectory(file.path.parentDirectory)
            try chart.write(to: file.path)
            context.result(.file(.output, path: file.path))
        }
    }
}

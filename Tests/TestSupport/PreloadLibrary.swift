import Files
import Foundation

/// A library for `LD_PRELOAD` that stands between the program under test and the C library. It goes with its owner.
package final class PreloadLibrary {
    private let folder: TemporaryDirectory

    /// Whether there is a C compiler to make it with.
    package static let canBeMade = FileManager.default.isExecutableFile(atPath: "/usr/bin/cc")

    package var path: String { folder.path("preload.so") }

    /// - Parameter source: in C; `_GNU_SOURCE` is defined.
    package init(_ source: String) throws {
        folder = try TemporaryDirectory()
        try folder.write(source, to: "preload.c")
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/cc")
        compiler.arguments = ["-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", path, folder.path("preload.c"), "-ldl"]
        try compiler.run()
        compiler.waitUntilExit()
        guard compiler.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    }
}

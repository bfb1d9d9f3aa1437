import Files
import Foundation

/// Files that come with the program: recipes, checkpoints, lists of what is known.
package enum BundledFiles {
    /// A file that comes with the program, such as `Checkpoints/pocket-clip.safetensors`: looked for in
    /// `$VIFI_PROMPT_HOME`, beside the program, where it is installed, and here in this order: a file of somebody's own that has
    /// the same name hides nothing.
    package static func path(of name: String) throws(FileError) -> String {
        for root in roots where fileExists(root.appendingPath(name)) { return root.appendingPath(name) }
        throw FileError(
            path: name, problem: .notReadable(
                reason: "it comes with vifi-prompt but is not in \(roots.joined(separator: ", ")). "
                    + "Run in the project's folder or set VIFI_PROMPT_HOME to it"))
    }

    private static var roots: [String] {
        var roots: [String] = []
        if let home = ProcessInfo.processInfo.environment["VIFI_PROMPT_HOME"], !home.isEmpty { roots.append(home) }
        // .build/release/vifi-prompt lies two or three folders below the project.
        var folder = (resolvedPath("/proc/self/exe") ?? ".").parentDirectory
        for _ in 0..<4 {
            roots.append(folder)
            // Where packages put it, beside bin.
            roots.append(folder.appendingPath("share/vifi-prompt"))
            folder = folder.parentDirectory
        }
        return roots + ["/usr/local/share/vifi-prompt", "/usr/share/vifi-prompt", "."]
    }
}

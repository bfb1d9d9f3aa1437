import Files

/// The frames of a video as pictures in a folder, as lists of frames name them: `walk/clip1/img_00001.jpg`, ….
package struct FrameFolder {
    package let path: String
    /// Names in the order of the numbers in them.
    package let names: [String]

    /// Endings of pictures that count as frames, in lower case.
    static let endings: Set<String> = ["bmp", "jpeg", "jpg", "png", "ppm", "tif", "tiff", "webp"]

    /// Names of one folder that are taken.
    private static let frameLimit = 1_000_000

    package static func isFrame(_ name: String) -> Bool {
        guard !name.isHiddenName, let dot = name.lastIndex(of: "."), dot != name.startIndex else { return false }
        return endings.contains(name[name.index(after: dot)...].lowercased())
    }

    /// nil where `path` is not a folder, neither on the disk nor in an archive.
    ///
    /// - Throws: `VideoError` where the folder holds no frames or too many, or where it cannot be read.
    package init?(_ path: String, limits: VideoLimits) throws(VideoError) {
        let found: [String]
        do throws(FileError) {
            if isDirectory(path) {
                found = try directoryEntries(path).filter { Self.isFrame($0) && isRegularFile(path.appendingPath($0)) }
            } else if !fileExists(path), let (archive, name) = try StoredVideo.archive(in: path), !archive.contains(name) {
                found = archive.frameNames(in: name)
                if found.isEmpty { return nil }
            } else {
                return nil
            }
        } catch {
            throw VideoError(path: path, problem: .file(error))
        }
        guard !found.isEmpty else { throw VideoError(path: path, problem: .noFrames) }
        self.path = path
        names = Self.ordered(found)
        guard names.count <= Self.frameLimit else {
            throw VideoError(path: path, problem: .tooLarge(what: "frames", value: names.count, limit: Self.frameLimit))
        }
    }

    /// Whether a folder on the disk holds frames of one video: pictures, and neither videos nor folders.
    package static func isOne(_ path: String) -> Bool {
        guard let names = try? directoryEntries(path) else { return false }
        let shown = names.filter { $0.first != "." }
        return shown.contains(where: isFrame)
            && !shown.contains { VideoEndings.isShownVideo($0) || !isFrame($0) && isDirectory(path.appendingPath($0)) }
    }

    func path(ofFrame index: Int) -> String { path.appendingPath(names[index]) }

    /// The color frames in the order of their numbers. Optical flow, which some extractors put beside them, is no frame.
    static func ordered(_ names: [String]) -> [String] {
        let frames = names.filter { name in !["flow_", "flow-", "flow."].contains(where: name.lowercased().hasPrefix) }
        return (frames.isEmpty ? names : frames).sorted(by: isBefore)
    }

    /// Whether one name comes before another when numbers in them count as numbers: `img_2` before `img_10`.
    static func isBefore(_ left: String, _ right: String) -> Bool {
        let (a, b) = (Array(left.utf8), Array(right.utf8))
        var (i, j) = (0, 0)
        func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
        while i < a.count, j < b.count {
            if isDigit(a[i]), isDigit(b[j]) {
                let (first, second) = (a[i...].prefix(while: isDigit), b[j...].prefix(while: isDigit))
                let (x, y) = (first.drop { $0 == UInt8(ascii: "0") }, second.drop { $0 == UInt8(ascii: "0") })
                if x.count != y.count { return x.count < y.count }
                if !x.elementsEqual(y) { return x.lexicographicallyPrecedes(y) }
                (i, j) = (first.endIndex, second.endIndex)
            } else if a[i] != b[j] {
                return a[i] < b[j]
            } else {
                (i, j) = (i + 1, j + 1)
            }
        }
        // What differs in zeros before a number alone keeps an order, too.
        return a.count - i != b.count - j ? a.count - i < b.count - j : a.lexicographicallyPrecedes(b)
    }
}

import Files

extension ImportedSet {
    /// - Parameter root: where videos are; nil where they were not looked for, so that paths alone are compared.
    /// - Returns: a warning where they share a video and no part of it.
    /// - Throws: `sharedVideos` where a list to learn from and the one to test on with its number share a video.
    package func refuseSharedVideos(root: String?) throws(DatasetError) -> [DatasetWarning] {
        try VideoData.refuseSharedVideos(
            parts.map { part in (part.name, AnnotationList(path: part.source, root: root ?? "", clips: part.clips)) }, isOnDisk: root != nil)
    }
}

extension ImportedCaptions {
    /// As `ImportedSet.refuseSharedVideos`; captions are of whole videos.
    package func refuseSharedVideos(root: String?) throws(DatasetError) {
        _ = try VideoData.refuseSharedVideos(
            parts.map { part in
                (part.name, AnnotationList(path: part.list.path, root: root ?? "", clips: part.list.videoList.clips))
            }, isOnDisk: root != nil)
    }
}

private func refuseSharedVideos(_ lists: [(name: String, list: AnnotationList)], isOnDisk: Bool) throws(DatasetError) -> [DatasetWarning] {
    var warnings: [DatasetWarning] = []
    for (name, list) in lists where name.hasPrefix("train") {
        let number = name.dropFirst("train".count)
        // `train.9k` and `train.7k` belong to the one test; `train1` to `val1`.
        let isNumbered = !number.isEmpty && number.allSatisfy(\.isNumber)
        for (other, tested) in lists where isNumbered ? ["val\(number)", "test\(number)"].contains(other) : ["val", "test"].contains(other) {
            let checks = ListChecks(train: list, validation: tested)
            let found = try checks.refuseSharedPaths()
            warnings += try isOnDisk ? checks.refuseSharedVideos() : found
        }
    }
    return warnings
}

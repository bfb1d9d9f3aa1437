import Files

extension ImportedSet {
    /// - Parameter root: where videos are; nil where they were not looked for, so that paths alone are compared.
    /// - Throws: `sharedVideos` where a list to learn from and the one to test on with its number share a video.
    package func refuseSharedVideos(root: String?) throws(DatasetError) {
        try VideoData.refuseSharedVideos(
            parts.map { part in (part.name, AnnotationList(path: part.source, root: root ?? "", clips: part.clips)) }, isOnDisk: root != nil)
    }
}

extension ImportedCaptions {
    /// As `ImportedSet.refuseSharedVideos`.
    package func refuseSharedVideos(root: String?) throws(DatasetError) {
        try VideoData.refuseSharedVideos(
            parts.map { part in
                (part.name, AnnotationList(path: part.list.path, root: root ?? "", clips: part.list.videoList.clips))
            }, isOnDisk: root != nil)
    }
}

private func refuseSharedVideos(_ lists: [(name: String, list: AnnotationList)], isOnDisk: Bool) throws(DatasetError) {
    for (name, list) in lists where name.hasPrefix("train") {
        let number = name.dropFirst("train".count)
        // `train.9k` and `train.7k` belong to the one test; `train1` to `val1`.
        let isNumbered = !number.isEmpty && number.allSatisfy(\.isNumber)
        for (other, tested) in lists where isNumbered ? ["val\(number)", "test\(number)"].contains(other) : ["val", "test"].contains(other) {
            let checks = ListChecks(train: list, validation: tested)
            try checks.refuseSharedPaths()
            if isOnDisk { try checks.refuseSharedVideos() }
        }
    }
}

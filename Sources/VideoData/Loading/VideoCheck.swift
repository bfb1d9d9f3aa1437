import Files

/// What decoding every frame of a video shows.
package struct VideoCheck: Sendable {
    /// Position in the list.
    package let index: Int
    /// Why it cannot be used; nil where it can.
    package var fault: String?
    /// What is odd about it.
    package var oddities: [String] = []
    package var info: VideoInfo?
    /// Frames that were counted; nil where it cannot be opened.
    package var frameCount: Int?

    package init(index: Int, fault: String? = nil) {
        self.index = index
        self.fault = fault
    }

    /// Opens a video and, if asked, decodes all its frames.
    ///
    /// - Throws: where the machine fails, which says nothing of the video.
    package static func of(
        _ path: String, index: Int, decodes: Bool = true, limits: VideoLimits = VideoLimits()
    ) throws(VideoError) -> VideoCheck {
        var check = VideoCheck(index: index)
        do throws(VideoError) {
            let video = try openVideo(path, limits: limits)
            check.info = video.info
            check.frameCount = video.frameCount
            if decodes { _ = try video.frames(at: Array(0..<video.frameCount)) { _ in () } }
            check.oddities = video.warnings.map(\.description)
        } catch {
            if error.isOfMachine { throw error }
            check.fault = error.description
        }
        return check
    }

    /// Notes where the list states another number of frames.
    private mutating func hold(_ found: Int, against clip: AnnotatedClip, of list: AnnotationList) {
        do throws(DatasetError) {
            try list.check(found, of: clip)
            if let stated = clip.frameCount, stated != found { oddities.append("the list states \(counted(stated, "frame", "frames")), but it has \(found)") }
        } catch {
            fault = error.description
        }
    }

    /// Checks all videos of a list on several threads; results come in list order.
    ///
    /// - Parameter check: looks at one video; called on those threads. `of` by default.
    /// - Throws: what `check` throws, which ends it.
    package static func videos(
        of list: AnnotationList, threadCount: Int, decodes: Bool = true, followsLinks: Bool = false,
        check: (@Sendable (_ path: String, _ index: Int) throws -> VideoCheck)? = nil, report: (_ done: Int) -> Void
    ) throws -> [VideoCheck] {
        var faults: [Int: String] = [:]
        try list.eachFileFault(followsLinks: followsLinks) { index, fault throws(DatasetError) in
            let path = list.videoPath(list.clips[index])
            switch fault {
            case .missing: faults[index] = FileError(path: path, problem: .missing).description
            case .linkLeavesRoot(let target):
                faults[index] = DatasetError(path: path, problem: .linkLeavesRoot(list.clips[index].path, target: target)).description
            }
        }
        let checks = Prefetcher(
            count: list.clips.count, threadCount: threadCount, capacity: max(1, threadCount * 4)
        ) { [faults] index in
            if let fault = faults[index] { return VideoCheck(index: index, fault: fault) }
            let path = list.videoPath(list.clips[index])
            var result = try check?(path, index) ?? of(path, index: index, decodes: decodes)
            if result.fault == nil, let found = result.frameCount { result.hold(found, against: list.clips[index], of: list) }
            return result
        }
        var results: [VideoCheck] = []
        while let check = try checks.next() {
            results.append(check)
            report(results.count)
        }
        return results
    }
}

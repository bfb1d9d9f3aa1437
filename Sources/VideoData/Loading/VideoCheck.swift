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
    /// Of the video that was looked at; nil for all of it.
    package var part: ClipPart?
    /// Frames that were counted, of a part its own; nil where it cannot be opened.
    package var frameCount: Int?

    package init(index: Int, fault: String? = nil) {
        self.index = index
        self.fault = fault
    }

    /// Opens a video and, if asked, decodes all its frames, or those of a part.
    ///
    /// - Throws: where the machine fails, which says nothing of the video.
    package static func of(
        _ path: String, part: ClipPart? = nil, index: Int, decodes: Bool = true, limits: VideoLimits = VideoLimits(), indexes: FrameIndexes? = nil
    ) throws(VideoError) -> VideoCheck {
        var check = VideoCheck(index: index)
        check.part = part
        do throws(VideoError) {
            let video = try openVideo(path, limits: limits, indexes: indexes)
            let frames = try video.frames(of: part, path: path)
            check.info = video.info
            check.frameCount = frames.count
            if decodes { _ = try video.frames(at: Array(frames)) { _ in () } }
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
        check: (@Sendable (_ path: String, _ part: ClipPart?, _ index: Int) throws -> VideoCheck)? = nil, report: (_ done: Int) -> Void
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
        let indexes = FrameIndexes()
        let checks = Prefetcher(
            count: list.clips.count, threadCount: threadCount, capacity: max(1, threadCount * 4)
        ) { [faults] index in
            if let fault = faults[index] { return VideoCheck(index: index, fault: fault) }
            let (path, part) = (list.videoPath(list.clips[index]), list.clips[index].part)
            var result = try check?(path, part, index) ?? of(path, part: part, index: index, decodes: decodes, indexes: indexes)
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

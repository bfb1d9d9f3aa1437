import Files

extension AnnotationList {
    /// Videos whose stated numbers of frames are looked at before any work starts; the others when they are read.
    private static let firstCheckedCount = 16

    /// Holds the numbers of frames that the list states against some of its videos, spread over the list.
    ///
    /// Videos that cannot be opened are left to whoever reads them.
    ///
    /// - Throws: `otherFrameCount`.
    package func checkFrameCounts() throws(DatasetError) {
        if let fault = frameCountFault(among: Self.firstCheckedCount, share: 0) { throw fault }
    }

    /// The first disagreement among videos spread over the list, where more than a share of them disagree.
    func frameCountFault(among limit: Int, share: Double) -> DatasetError? {
        let stated = clips.indices.filter { clips[$0].frameCount != nil }
        let count = min(stated.count, limit)
        var faults: [DatasetError] = []
        for place in 0..<count {
            let clip = clips[stated[place * stated.count / count]]
            guard let video = try? openVideo(videoPath(clip)) else { continue }
            do throws(DatasetError) { try check(video.frameCount, of: clip) } catch { faults.append(error) }
        }
        return Double(faults.count) > share * Double(count) ? faults.first : nil
    }

    /// - Throws: `otherFrameCount` where the list states a number that the video contradicts.
    package func check(_ found: Int, of clip: AnnotatedClip) throws(DatasetError) {
        guard let stated = clip.frameCount, !Self.agrees(stated, with: found) else { return }
        throw DatasetError(path: path, problem: .otherFrameCount(clip.path, stated: stated, found: found))
    }

    /// Other programs count a frame or two more or fewer at the ends of videos.
    private static func agrees(_ stated: Int, with found: Int) -> Bool {
        abs(stated.subtractingReportingOverflow(found).partialValue) <= max(2, found / 50)
    }
}

extension AnnotatedClip {
    /// The number of frames that a published list states, where it speaks of the video that was found: lists of extracted
    /// frames count these, and say nothing of a video in their place.
    func frameCount(asVideo path: String, below root: String) -> Int? {
        VideoEndings.isShownVideo(self.path.lastPathComponent) || FrameFolder.isOne(root.appendingPath(path)) ? frameCount : nil
    }
}

/// What is wanted of a video that is read once from start to end.
package struct VideoStreamRequest: Sendable, Equatable, Codable {
    package var path: String
    /// One a model.
    package var grids: [WindowGrid]
    /// Frames are scaled to this many pixels on their shorter side; nil leaves them as they are.
    package var shortSide: Int?
    /// Wanted frames that come together.
    package var batchCount: Int
    package var pictures: PictureRules

    /// - Precondition: grids of one unit, at least one.
    package init(path: String, grids: [WindowGrid], shortSide: Int?, batchCount: Int, pictures: PictureRules = PictureRules()) {
        precondition(!grids.isEmpty && Set(grids.map(\.unit)).count == 1 && batchCount >= 1 && shortSide ?? 1 >= 1, "no such stream")
        self.path = path
        self.grids = grids
        self.shortSide = shortSide
        self.batchCount = batchCount
        self.pictures = pictures
    }

    /// What becomes of a picture before it is handed out.
    func shrunk(_ picture: VideoFrame) -> VideoFrame { shortSide.map { picture.resized(shortSide: $0) } ?? picture }

    package var unit: VideoSpan.Unit { grids.first?.unit ?? .seconds }
}

/// A frame that is shown at moments of one or several grids.
package struct StreamedFrame: Sendable, Equatable {
    package var picture: VideoFrame
    /// For each grid the moments at which it is shown; empty where that grid does not look at it.
    package var points: [Range<Int>]

    package init(picture: VideoFrame, points: [Range<Int>]) {
        self.picture = picture
        self.points = points
    }
}

/// A stretch of a video.
package struct VideoPart: Sendable, Equatable {
    package var frames: [StreamedFrame] = []
    /// Seconds from the video's start at which this part's frames begin, wanted or not.
    package var times: [Double] = []
    /// Seconds up to which the video is known, its whole length in the last part.
    package var seconds = 0.0
    /// Bytes of the file that were read, for telling how far it is.
    package var readByteCount = 0
    package var isLast = false
    /// In the last part: what was odd.
    package var warnings: [String] = []

    package init() {}
}

/// What can be said of a video before it is read.
package struct VideoOutlook: Sendable, Equatable, Codable {
    /// As the header claims; nil where it does not, or nothing believable.
    package var seconds: Double?
    package var byteCount: Int
    package var framesPerSecond: Double?
    /// Width of a pixel as it is shown, as a multiple of its height; nil where they are square.
    package var pixelAspect: Double?

    package init(seconds: Double?, byteCount: Int, framesPerSecond: Double? = nil, pixelAspect: Double? = nil) {
        self.seconds = seconds
        self.byteCount = byteCount
        self.framesPerSecond = framesPerSecond
        self.pixelAspect = pixelAspect
    }
}

/// Parts of one video, first to last; after the last one empty ones that are last, too.
package protocol VideoStreaming: Sendable {
    var outlook: VideoOutlook { get }
    func next() throws -> VideoPart
}

/// A rectangle of a picture, in pixels from its upper left corner; edges may lie within pixels.
package struct PictureRegion: Sendable, Equatable {
    package var left: Double
    package var top: Double
    package var width: Double
    package var height: Double

    package init(left: Double, top: Double, width: Double, height: Double) {
        self.left = left
        self.top = top
        self.width = width
        self.height = height
    }

    /// The same part of a picture that is larger or smaller by these factors.
    package func scaled(x: Double, y: Double) -> PictureRegion {
        PictureRegion(left: left * x, top: top * y, width: width * x, height: height * y)
    }
}

extension ClipTransform {
    /// Which part of a video's picture the model sees in testing with one crop.
    ///
    /// - Parameter size: of the video's pictures.
    /// - Precondition: testing, one crop.
    package func seenRegion(of size: FrameSize) -> PictureRegion {
        precondition(stage == .testing(cropCount: 1), "other views see several parts of a picture")
        // As `resized(shortSide:)` cuts very long pictures, and then shrinks them.
        let limit = 32 * min(size.width, size.height)
        let kept = FrameSize(width: min(size.width, limit), height: min(size.height, limit))
        let shrunk = kept.scaled(toShortSide: shortSide)
        let box = CropBox.center(side: side, of: shrunk)
        let inKept = PictureRegion(left: Double(box.left), top: Double(box.top), width: Double(box.width), height: Double(box.height))
            .scaled(x: Double(kept.width) / Double(shrunk.width), y: Double(kept.height) / Double(shrunk.height))
        return PictureRegion(
            left: inKept.left + Double((size.width - kept.width) / 2), top: inKept.top + Double((size.height - kept.height) / 2),
            width: inKept.width, height: inKept.height)
    }
}

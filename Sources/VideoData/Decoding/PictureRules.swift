/// What a file says about its pictures, and whether it is followed; and which part of them is looked at.
///
/// On by default, as players do. Off gives what decord gives, which the reference reads videos with.
package struct PictureRules: Sendable, Equatable, Codable, CustomStringConvertible {
    /// Pictures are turned as the display matrix asks.
    package var appliesRotation = true
    /// Pictures in PQ or HLG are converted to SDR. Off takes their samples as if they were SDR.
    package var convertsHighDynamicRange = true
    /// The part that is looked at; nil for all.
    package var region: ViewedRegion?

    package init(appliesRotation: Bool = true, convertsHighDynamicRange: Bool = true, region: ViewedRegion? = nil) {
        self.appliesRotation = appliesRotation
        self.convertsHighDynamicRange = convertsHighDynamicRange
        self.region = region
    }

    /// What kept features are told apart by. Where all of a picture is looked at, no region is named.
    package var description: String {
        "PictureRules(appliesRotation: \(appliesRotation), convertsHighDynamicRange: \(convertsHighDynamicRange)"
            + (region.map { ", region: \($0.text)" } ?? "") + ")"
    }

    /// The part of the pictures of a video that is looked at.
    ///
    /// - Parameter size: of decoded pictures, before they are turned.
    /// - Throws: `VideoError` where it is not within them.
    func crop(of size: FrameSize, turnedBy orientation: Orientation, path: String) throws(VideoError) -> CropBox? {
        guard let region else { return nil }
        let isTurned = appliesRotation && orientation.swapsAxes
        return try region.box(in: FrameSize(width: isTurned ? size.height : size.width, height: isTurned ? size.width : size.height), of: path)
    }
}

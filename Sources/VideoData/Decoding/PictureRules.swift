/// What a file says about its pictures, and whether it is followed.
///
/// On by default, as players do. Off gives what decord gives, which the reference reads videos with.
package struct PictureRules: Sendable, Equatable, Codable {
    /// Pictures are turned as the display matrix asks.
    package var appliesRotation = true
    /// Pictures in PQ or HLG are converted to SDR. Off takes their samples as if they were SDR.
    package var convertsHighDynamicRange = true

    package init(appliesRotation: Bool = true, convertsHighDynamicRange: Bool = true) {
        self.appliesRotation = appliesRotation
        self.convertsHighDynamicRange = convertsHighDynamicRange
    }
}

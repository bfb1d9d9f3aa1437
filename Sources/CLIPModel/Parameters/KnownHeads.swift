/// Heads of the towers of published CLIPs by their width, for files that do not say how many they have.
///
/// From the model configurations of open_clip 3.3.0, which a width determines, OpenAI's, TinyCLIP's, PE-Core's and SigLIP's. All but
/// those named here have heads of 64.
enum KnownHeads {
    /// SO400M, ViT-H, g, bigG and e, and the largest of PE-Core and SigLIP 2.
    private static let vision = [1152: 16, 1280: 16, 1408: 16, 1536: 16, 1664: 16, 1792: 16]
    /// The text tower of SO400M.
    private static let text = [1152: 16]
    private static let usualVision: Set = [192, 256, 384, 512, 640, 768, 896, 1024]
    private static let usualText: Set = [256, 384, 512, 640, 768, 1024, 1280]

    /// nil for a width that no known model has.
    static func vision(width: Int) -> Int? {
        vision[width] ?? (usualVision.contains(width) ? CLIPArchitecture.Tower.usualHeadCount(width: width) : nil)
    }

    static func text(width: Int) -> Int? {
        text[width] ?? (usualText.contains(width) ? CLIPArchitecture.Tower.usualHeadCount(width: width) : nil)
    }
}

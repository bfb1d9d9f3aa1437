/// Something that ViFi-CLIP's code does and this program does only when asked with `--compat` or `compat:`.
///
/// `docs/reproduce.md` says where each comes from and what it changes.
package enum Quirk: String, Sendable, CaseIterable {
    /// Pixels are normalized with ImageNet's constants, whatever the backbone was trained with (methods 1.6).
    case imageNetNormalization = "imagenet-normalization"
    /// Deep prompts are rounded to half precision in each forward pass (methods 1.2).
    case halfPrompts = "half-prompts"
    /// Normalized pixels, token embeddings and text positions are rounded to half precision (methods 1.1).
    case halfInputs = "half-inputs"
    /// Training never sees the last n mod k frames of a video of n frames, for k frames a clip (methods 1.6).
    case unseenTail = "unseen-tail"
    /// In training, videos of fewer than k frames may end with frame 0 (methods 1.6).
    case wrappedFrames = "wrapped-frames"
    /// Tests with several clips a video draw their frames by chance (methods 1.6).
    case randomViews = "random-views"
    /// Frames are not turned as the file asks, but left as they lie in it, as readers do that take no notice of the
    /// display matrix.
    case unturnedFrames = "unturned-frames"
    /// Videos of high dynamic range (PQ, HLG) are read as if they were SDR, as decord does.
    case unconvertedHDR = "unconverted-hdr"
    /// The first optimizer step has rate 0 (methods 1.4).
    case idleFirstStep = "idle-first-step"
    /// The cosine counts from the first step, so the rate drops abruptly after the warm-up (methods 1.4).
    case unshiftedCosine = "unshifted-cosine"
    /// Clips left over after an epoch's last full step are thrown away (methods 1.4).
    case discardedLeftovers = "discarded-leftovers"
    /// The template takes class names with their underscores (methods 1.1).
    case keptUnderscores = "kept-underscores"
    /// Without learned prompts, tests use class names without the template: the paper's rows of CLIP itself,
    /// and of nothing else (methods 1.7, 9).
    case bareNames = "bare-names"

    /// All that the reference does when it trains and tests its own models. Bare names are not among them: they
    /// are how it tests CLIP. Nor are unturned frames: decord 0.6.0, which it reads videos with, turns them.
    package static let ofViFiCLIP = Set(allCases).subtracting([.bareNames, .unturnedFrames])

    /// - Parameter name: also as older recipes spell it.
    package init?(named name: String) { self.init(rawValue: name == "imagenet-normalisation" ? Self.imageNetNormalization.rawValue : name) }

    /// What stands for `ofViFiCLIP`, and for no quirk.
    package static let groupName = "vifi-clip"
    package static let noneName = "none"

    /// All names that `compat` takes.
    package static let names = [noneName, groupName] + allCases.map(\.rawValue)

    /// As `compat` takes them: the group's name, single ones, or none.
    package static func text(of quirks: Set<Quirk>) -> String {
        if quirks.isEmpty { return noneName }
        if quirks == ofViFiCLIP { return groupName }
        return allCases.filter(quirks.contains).map(\.rawValue).joined(separator: ",")
    }
}

/// How often a video is looked at in a test: clips in time × crops in space.
package struct Views: Sendable, Equatable {
    package let clips: Int
    package let crops: Int

    package static let single = Views(clips: 1, crops: 1)
    package static let form = "clips x crops such as 4x3, with 1 to 64 clips and 1 or 3 crops"

    private init(clips: Int, crops: Int) {
        self.clips = clips
        self.crops = crops
    }

    /// - Parameter text: such as `4x3`; nil where it is none.
    package init?(_ text: String) {
        let parts = text.split(separator: "x", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let clips = Int(parts[0]), let crops = Int(parts[1]), (1...64).contains(clips), crops == 1 || crops == 3
        else { return nil }
        self.init(clips: clips, crops: crops)
    }

    package var text: String { "\(clips)x\(crops)" }
}

import ArgumentParser
import CLIPModel
import VideoData

/// How many videos of each class are set aside, to choose the best epoch on and to score at the end.
struct PartOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Share of each class that the best epoch is chosen on; 0 for none. One video is always left to learn from.", valueName: "share"))
    var valShare = 0.2

    @Option(help: ArgumentHelp("Share of each class that is scored at the end; 0 for none. It goes before --val-share.", valueName: "share"))
    var testShare = 0.2

    @Option(help: ArgumentHelp("Videos of each class, instead of --val-share.", valueName: "videos"))
    var valClips: Int?

    @Option(help: ArgumentHelp("Videos of each class, instead of --test-share.", valueName: "videos"))
    var testClips: Int?

    func validate() throws {
        for (name, share) in [("--val-share", valShare), ("--test-share", testShare)] where !(share >= 0 && share < 1) {
            throw ValidationError("\(name) is \(share); it must be from 0 to below 1.")
        }
        guard valShare + testShare < 1 else {
            throw ValidationError("--val-share and --test-share are \(valShare) and \(testShare); together they must be below 1.")
        }
        for (name, clips) in [("--val-clips", valClips), ("--test-clips", testClips)] {
            if let clips, clips < 0 { throw ValidationError("\(name) is \(clips); it must be 0 or more.") }
        }
    }

    func split(_ clips: [AnnotatedClip], classes: ClassNames, seed: UInt64, path: String) throws -> ThreeWaySplit {
        try ThreeWaySplit(
            clips, classes: classes, val: valClips.map { .count($0) } ?? .share(valShare),
            test: testClips.map { .count($0) } ?? .share(testShare), seed: seed, path: path)
    }
}

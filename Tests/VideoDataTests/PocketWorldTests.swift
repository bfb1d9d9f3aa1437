import Testing

import Tensors
import VideoData

/// All pairs of an arm and a leg action, in the data sets or not.
private let everyClass = ArmAction.allCases.flatMap { arm in LegAction.allCases.map { PocketClass(arm, $0) } }

@Suite("Pocket world: videos")
struct PocketVideoTests {
    @Test(arguments: VideoStyle.allCases)
    func aVideoIsAFunctionOfItsClassSeedAndIndex(style: VideoStyle) {
        let label = PocketClass(.clapping, .walking)
        let video = PocketVideo(label, style: style, seed: 5, index: 9)
        #expect(video.frames() == PocketVideo(label, style: style, seed: 5, index: 9).frames())
        #expect(video.frame(at: 0) != PocketVideo(label, style: style, seed: 5, index: 10).frame(at: 0))
        #expect(video.frame(at: 0) != PocketVideo(label, style: style, seed: 6, index: 9).frame(at: 0))
    }

    @Test func framesHaveTheStatedSizeAndMove() {
        let frames = PocketVideo(PocketClass(.flapping, .walking), style: .lifelike, seed: 1, index: 0).frames()
        #expect(frames.count == PocketVideo.frameCount)
        #expect(frames.allSatisfy { $0.count == PocketVideo.width * PocketVideo.height * 3 })
        #expect(frames[0] != frames[3])
    }

    /// The class enters a video through its poses alone.
    @Test func looksSceneMannerAndCameraDoNotDependOnTheClass() {
        for index in 0..<20 {
            let setting = VideoSetting(style: .cutOut, seed: 3, index: index)
            for label in everyClass {
                #expect(PocketVideo(label, style: .cutOut, seed: 3, index: index).setting == setting)
            }
        }
    }

    @Test(arguments: VideoStyle.allCases)
    func everyFigureIsDarkerThanItsScene(style: VideoStyle) {
        // A figure far outside the picture leaves the scene alone, so compare with and without it.
        for index in 0..<60 {
            let setting = VideoSetting(style: style, seed: 11, index: index)
            let pose = PocketClass(.flapping, .standing).pose(at: 0, manner: setting.manner)
            let with = brightness(setting.picture(of: pose, progress: 0.5))
            var raised = pose
            raised.lift = 50
            let without = brightness(setting.picture(of: raised, progress: 0.5))
            // The figure's pixels: those it changes by more than its faint shadow does.
            let changed = zip(with, without).filter { abs($0 - $1) > 30 }
            #expect(changed.count > 200, "setting \(index) shows no figure")
            let lighter = changed.filter { $0 > $1 }.count
            #expect(lighter * 50 < changed.count, "setting \(index): \(lighter) of \(changed.count) pixels are lighter")
        }
    }

    /// Sum of the three channels of every pixel.
    private func brightness(_ bytes: [UInt8]) -> [Int] {
        stride(from: 0, to: bytes.count, by: 3).map { Int(bytes[$0]) + Int(bytes[$0 + 1]) + Int(bytes[$0 + 2]) }
    }
}

/// Neither a mirror nor a video run backwards may turn one class into another. Both leave the set of
/// poses as it is, up to an exchange of the two sides: so any two sets must differ.
@Suite("Pocket world: classes")
struct PocketClassTests {
    /// The hands, elbows, feet and knees of one pose, relative to their roots, for a figure whose
    /// `side` leads: what a picture of it shows.
    private func joints(_ limbs: (lead: LimbAngles, trail: LimbAngles), side: Float) -> [SIMD3<Float>] {
        func points(_ limb: LimbAngles, _ side: Float) -> [SIMD3<Float>] {
            let middle = 0.17 * limb.upper.direction(side: side)
            return [middle, middle + 0.17 * limb.lower.direction(side: side)]
        }
        let (lead, trail) = (points(limbs.lead, side), points(limbs.trail, -side))
        return side > 0 ? lead + trail : trail + lead
    }

    /// The farthest that any pose of `one` is from its nearest in `other`, in body heights.
    private func distance(_ one: [[SIMD3<Float>]], _ other: [[SIMD3<Float>]]) -> Float {
        one.map { pose in
            other.map { candidate in
                zip(pose, candidate).map { (($0 - $1) * ($0 - $1)).sum().squareRoot() }.max() ?? 0
            }.min() ?? 0
        }.max() ?? 0
    }

    private let phases = (0..<48).map { Float($0) / 48 }
    private let sides: [Float] = [-1, 1]

    private func poses(of arm: ArmAction) -> [[SIMD3<Float>]] {
        sides.flatMap { side in phases.map { joints(arm.arms(phase: $0, vigour: 1), side: side) } }
    }

    private func poses(of leg: LegAction) -> [[SIMD3<Float>]] {
        sides.flatMap { side in
            phases.map { phase in
                let stance = leg.stance(phase: phase, vigour: 1)
                return joints((stance.lead, stance.trail), side: side)
            }
        }
    }

    @Test func noTwoArmActionsShareTheirPosesEvenMirroredOrReversed() {
        let sets = ArmAction.allCases.map { (action: $0, poses: poses(of: $0)) }
        for (place, one) in sets.enumerated() {
            for other in sets[(place + 1)...] {
                let apart = max(distance(one.poses, other.poses), distance(other.poses, one.poses))
                #expect(apart > 0.08, "\(one.action) and \(other.action) are \(apart) apart")
            }
        }
    }

    @Test func noTwoLegActionsShareTheirPosesEvenMirroredOrReversed() {
        let sets = LegAction.allCases.map { (action: $0, poses: poses(of: $0)) }
        for (place, one) in sets.enumerated() {
            for other in sets[(place + 1)...] {
                let apart = max(distance(one.poses, other.poses), distance(other.poses, one.poses))
                #expect(apart > 0.08, "\(one.action) and \(other.action) are \(apart) apart")
            }
        }
    }

    /// Mirroring a video must give a video of the same class: both sides lead equally often.
    @Test func eitherSideLeadsEquallyOften() {
        let right = (0..<1000).filter { VideoSetting(style: .lifelike, seed: 1, index: $0).manner.leadSide > 0 }.count
        #expect((440...560).contains(right))
    }

    @Test func actionsAreClosedCycles() {
        for label in everyClass {
            var manner = VideoSetting(style: .lifelike, seed: 1, index: 0).manner
            (manner.armRate, manner.legRate) = (1, 1)
            let early = label.pose(at: 0.25, manner: manner), late = label.pose(at: 1.25, manner: manner)
            let difference = zip(
                joints((early.leadArm, early.trailArm), side: 1) + joints((early.leadLeg, early.trailLeg), side: 1),
                joints((late.leadArm, late.trailArm), side: 1) + joints((late.leadLeg, late.trailLeg), side: 1)
            ).map { (($0 - $1) * ($0 - $1)).sum().squareRoot() }.max() ?? 1
            #expect(difference < 1e-4, "\(label.name)")
        }
    }
}

@Suite("Pocket world: catalog")
struct PocketCatalogTests {
    @Test(arguments: [PocketCatalog.large(), PocketCatalog.small()])
    func listsHoldEveryClassEquallyAndNoSettingTwice(catalog: PocketCatalog) {
        #expect(Set(catalog.classes.map(\.name)).count == catalog.classes.count)
        let (train, test, validation) = (catalog.train, catalog.test, catalog.validation)
        for label in catalog.classes.indices {
            #expect(train.filter { $0.label == label }.count == catalog.trainCountPerClass)
            #expect(test.filter { $0.label == label }.count == catalog.testCountPerClass)
            #expect(validation.filter { $0.label == label }.count == catalog.validationCountPerClass)
        }
        let all = train + test + validation
        #expect(Set(all.map(\.path)).count == all.count)
        #expect(all.allSatisfy { $0.video.label == catalog.classes[$0.label] })
        for (place, entry) in all.enumerated() {
            #expect(entry.video.setting == VideoSetting(style: catalog.style, seed: catalog.seed, index: place))
        }
    }

    /// On processors with AVX-512 x264 gave other bits about once in a hundred times before it was told not to
    /// choose its code by the processor.
    @Test func aVideoIsTheSameBytesEveryTime() throws {
        let entry = try #require(PocketCatalog.small().test.first)
        let frames = entry.video.frames()
        func encoded() throws -> [UInt8] {
            var writer = try VideoWriter(
                path: "video.mp4", width: PocketVideo.width, height: PocketVideo.height, framesPerSecond: Double(PocketVideo.framesPerSecond))
            for frame in frames { try writer.append(frame) }
            return try writer.finishedBytes()
        }
        let first = try encoded()
        for round in 1..<250 { #expect(try encoded() == first, "drawing \(round)") }
    }

    /// From four clips of a class no order of methods can be read.
    @Test func testListsAreLongEnoughToCompare() {
        #expect(PocketCatalog.large().testCountPerClass >= 30)
        #expect(PocketCatalog.small().test.count >= 240)
    }

    @Test func theSmallSetSharesOnlySomeClassesWithTheLargeOne() {
        let (large, small) = (PocketCatalog.large(), PocketCatalog.small())
        #expect(large.classes.count == 32)
        #expect(small.classes == PocketCatalog.base + PocketCatalog.novel)
        #expect(PocketCatalog.base.count == PocketCatalog.novel.count)
        #expect(small.classes.filter(large.classes.contains).count == 4)
        #expect(large.style != small.style)
    }

    @Test func everyNameFitsTheTextTowerBetweenTemplateAndFullStop() {
        #expect(Set(everyClass.map(\.name)).count == everyClass.count)
        for label in everyClass { #expect("a photo of a \(label.name).".utf8.count <= 75) }
    }
}

@Suite("Pocket world: stills")
struct PocketStillTests {
    @Test func aStillIsAFunctionOfSeedAndIndex() {
        let still = PocketStill(seed: 4, index: 17, fullCaptionChance: 0.5, ease: 0)
        #expect(still.picture() == PocketStill(seed: 4, index: 17, fullCaptionChance: 0.5, ease: 0).picture())
        #expect(still.caption == PocketStill(seed: 4, index: 17, fullCaptionChance: 0.5, ease: 0).caption)
        #expect(still.picture() != PocketStill(seed: 4, index: 18, fullCaptionChance: 0.5, ease: 0).picture())
    }

    /// Captions tell appearance and posture; a word of movement would teach the classes early.
    @Test func captionsFitAndNameNoMovement() {
        let movements = Set(everyClass.flatMap { $0.name.split(separator: " ") }.filter { $0.hasSuffix("ing") })
        var captions = Set<String>()
        for index in 0..<3000 {
            let caption = PocketStill(seed: 1, index: index, fullCaptionChance: 0.5, ease: 0).caption
            captions.insert(caption)
            #expect(caption.utf8.count <= 75)
            let words = caption.split { !$0.isLetter }
            #expect(words.allSatisfy { !movements.contains($0) })
        }
        // Fewer different captions would leave a batch without negatives.
        #expect(captions.count > 400)
    }
}

/// The two data sets of the pocket world.
package struct PocketCatalog: Sendable {
    /// Counts changes of how videos look or which there are; data sets on disk carry it.
    package static let version = 2

    /// One video of a list.
    package struct Entry: Sendable {
        /// Relative to the data set's folder, such as "train/clapping-while-jumping-03.mp4".
        package let path: String
        /// Row of the class in `classes`.
        package let label: Int
        package let video: PocketVideo
    }

    package let name: String
    package let style: VideoStyle
    package let seed: UInt64
    package let classes: [PocketClass]
    package let trainCountPerClass: Int
    package let testCountPerClass: Int
    package let validationCountPerClass: Int

    package var train: [Entry] { list("train", firstIndex: 0, perClass: trainCountPerClass) }
    package var test: [Entry] { list("test", firstIndex: classes.count * trainCountPerClass, perClass: testCountPerClass) }
    package var validation: [Entry] {
        list("val", firstIndex: classes.count * (trainCountPerClass + testCountPerClass), perClass: validationCountPerClass)
    }

    /// Videos are numbered through all lists, so that no two of them share a setting.
    private func list(_ folder: String, firstIndex: Int, perClass: Int) -> [Entry] {
        (0..<perClass * classes.count).map { place in
            let (number, label) = place.quotientAndRemainder(dividingBy: classes.count)
            let digits = String(number)
            let padded = String(repeating: "0", count: max(0, 2 - digits.count)) + digits
            let words = String(classes[label].name.map { $0 == " " ? "-" : $0 })
            return Entry(
                path: "\(folder)/\(words)-\(padded).mp4", label: label,
                video: PocketVideo(classes[label], style: style, seed: seed, index: firstIndex + place))
        }
    }

    /// Stands for Kinetics: two thirds of all pairs of eight arm and six leg actions, each arm action
    /// with four leg actions, each leg action with five or six arm actions.
    package static func large(seed: UInt64 = 1) -> PocketCatalog {
        let arms: [ArmAction] = [
            .wavingArms, .wavingHand, .clapping, .punching, .flapping, .turning, .lifting, .drumming,
        ]
        let legs: [LegAction] = [.standing, .walking, .jumping, .squatting, .kicking, .stepping]
        let classes = arms.indices.flatMap { arm in
            legs.indices.filter { (arm + $0) % 3 != 0 }.map { PocketClass(arms[arm], legs[$0]) }
        }
        return PocketCatalog(
            name: "pocket-large", style: .lifelike, seed: seed, classes: classes, trainCountPerClass: 24,
            testCountPerClass: 30, validationCountPerClass: 5)
    }

    /// Stands for a user's own videos: cut-out figures, and classes of which a quarter are in the large
    /// set, three eighths pair its words anew, and three eighths hold a word that it lacks.
    package static func small(seed: UInt64 = 2) -> PocketCatalog {
        PocketCatalog(
            name: "pocket-small", style: .cutOut, seed: seed, classes: base + novel, trainCountPerClass: 16,
            testCountPerClass: 15, validationCountPerClass: 5)
    }

    /// The half of the small set that base-to-novel runs learn: `classes[0 ..< 8]`.
    package static let base: [PocketClass] = [
        PocketClass(.wavingHand, .walking), PocketClass(.clapping, .jumping),
        PocketClass(.wavingArms, .squatting), PocketClass(.punching, .standing),
        PocketClass(.rowing, .kicking), PocketClass(.scratching, .walking),
        PocketClass(.drumming, .lunging), PocketClass(.turning, .marching),
    ]

    /// The other half, which they never see: `classes[8 ..< 16]`.
    package static let novel: [PocketClass] = [
        PocketClass(.flapping, .squatting), PocketClass(.lifting, .stepping),
        PocketClass(.wavingHand, .jumping), PocketClass(.clapping, .kicking),
        PocketClass(.turning, .kicking), PocketClass(.drumming, .stepping),
        PocketClass(.rowing, .standing), PocketClass(.lifting, .lunging),
    ]
}

import Tensors
import Training

/// What all ranks must have read alike.
package struct RankInputs: Codable, Equatable {
    package let version: String
    package let recipe: String
    package let backbone: String
    package let classes: String
    package let lists: [String: String]

    private var named: [(what: String, value: String)] {
        [("version of vifi-prompt", version), ("recipe", recipe), ("backbone", backbone), ("list of classes or vocabulary", classes)]
            + lists.sorted { $0.key < $1.key }.map { ("\($0.key) list", $0.value) }
    }

    /// - Throws: `AgreedFailure` on all ranks, naming the first that differs.
    package func check(over group: any ProcessGroup, places: RankPlaces) throws {
        let all = try group.gathered(value: self)
        for (rank, other) in all.enumerated() where other != all[0] {
            let what = zip(all[0].named, other.named).first { $0 != $1 }?.0.what ?? "set of lists"
            throw AgreedFailure(TrainingError.ranksDiffer(what: what, rank: rank, host: places.places[rank].host))
        }
    }
}

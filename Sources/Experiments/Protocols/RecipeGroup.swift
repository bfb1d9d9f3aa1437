import Recipes

/// Where the recipes of a setting lie in the catalog, and what they are called there.
package struct RecipeGroup: Sendable {
    /// The setting's own, then others whose recipes do as well.
    let folders: [String]
    /// Of the names of methods.
    let prefix: String
    /// For what trains the whole CLIP, and for what does not, where a method has no recipe of its own.
    let fineTune: String
    let prompt: String
    /// Epochs of every method on the pocket world; nil for those of its recipes, which are for a few clips of each class.
    let pocketEpochs: Int?

    package static let fewShot = RecipeGroup(folders: ["few-shot"], prefix: "", fineTune: "fine-tune", prompt: "prompt", pocketEpochs: nil)
    package static let baseToNovel = RecipeGroup(folders: ["base-to-novel"], prefix: "", fineTune: "fine-tune", prompt: "prompt", pocketEpochs: nil)
    /// Kinetics-400, to be tested on other data sets.
    package static let zeroShot = kinetics(["zero-shot"])
    /// Kinetics-400, to be tested on itself.
    package static let supervised = kinetics(["fully-supervised", "zero-shot"])

    private static func kinetics(_ folders: [String]) -> RecipeGroup {
        RecipeGroup(folders: folders, prefix: "k400-", fineTune: "bridge-k400", prompt: "k400-prompt", pocketEpochs: 8)
    }

    /// The same setting on the pocket world.
    package var onPocket: RecipeGroup {
        RecipeGroup(
            folders: ["pocket"], prefix: "", fineTune: pocketEpochs == nil ? "fine-tune" : "bridge", prompt: "learn", pocketEpochs: pocketEpochs)
    }
}

import Recipes
import VideoData

/// The videos of lists that are named elsewhere, and how they are looked at.
package struct VideoInputs: Codable, Equatable, Sendable {
    /// Folder or tar archive that the paths in the lists start from; nil for each list's own folder.
    package var root: String?
    /// Frames of a clip; nil for the recipe's.
    package var frames: Int?
    /// Whether lists may reach videos outside the root through symbolic links.
    package var followLinks = false
    /// What becomes of videos that cannot be decoded; nil for the recipe's.
    package var badVideoPolicy: BadVideoPolicy?
    package var allowances = Allowances()
    /// Whether videos are decoded in processes of their own, because nobody vouches for them. It changes no result.
    package var isIsolated: Bool?

    package init(
        root: String? = nil, frames: Int? = nil, followLinks: Bool = false, badVideoPolicy: BadVideoPolicy? = nil,
        allowances: Allowances = Allowances()
    ) {
        self.root = root
        self.frames = frames
        self.followLinks = followLinks
        self.badVideoPolicy = badVideoPolicy
        self.allowances = allowances
    }

    package func apply(to recipe: inout Recipe) {
        recipe.data.root = root ?? recipe.data.root
        recipe.data.frames = frames ?? recipe.data.frames
        recipe.data.onBadVideo = badVideoPolicy ?? recipe.data.onBadVideo
    }

    /// What reads the videos.
    ///
    /// - Parameter shortSide: that frames are shrunk to; what reads in other processes sends no larger ones.
    func reader(shortSide: Int, pictures: PictureRules, context: RunContext) -> any VideoReading {
        guard isIsolated == true else { return VideoFileReader.reporting(context).following(pictures) }
        return IsolatedVideos(shortSide: shortSide, pictures: pictures) { path, warnings in
            for warning in warnings { context.warning(.ofFile(path: path, warning: warning)) }
        }
    }

    /// How videos are read ahead. The model's workers take turns with one reading thread a processor.
    ///
    /// - Parameter badVideoPolicy: the recipe's, into which flags have gone; nil for the flag alone.
    package func loading(cacheByteBudget: Int = 0, badVideoPolicy policy: BadVideoPolicy? = nil) -> ClipLoader.Configuration {
        var configuration = ClipLoader.Configuration()
        configuration.cacheByteBudget = cacheByteBudget
        configuration.badVideoPolicy = policy ?? badVideoPolicy ?? .fail
        return configuration
    }
}

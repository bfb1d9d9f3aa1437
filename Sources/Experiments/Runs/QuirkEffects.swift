import CLIPModel
import Evaluation
import Recipes
import Training
import VideoData

/// What each quirk turns on. Where none is asked for, the modules' own defaults hold.
extension Recipe {
    /// Whether a fault of the reference is to be repeated.
    package func repeats(_ quirk: Quirk) -> Bool { compat?.contains(quirk) ?? false }

    /// - Parameter own: what backbone or prompts were trained with.
    package func normalization(insteadOf own: PixelNormalization) -> PixelNormalization {
        switch model.normalization {
        case .clip: .clip
        case .imagenet: .imageNet
        case nil: repeats(.imageNetNormalization) ? .imageNet : own
        }
    }

    /// What of the model is rounded to half precision.
    package var rounding: Float16Rounding {
        var rounding: Float16Rounding = []
        if repeats(.halfPrompts) { rounding.insert(.prompts) }
        if repeats(.halfInputs) { rounding.insert(.textInputs) }
        return rounding
    }

    /// What videos say about their pictures and is followed.
    package var pictures: PictureRules {
        PictureRules(appliesRotation: !repeats(.unturnedFrames), convertsHighDynamicRange: !repeats(.unconvertedHDR))
    }

    package func sampler(frameCount: Int) -> FrameSampler {
        var sampler = FrameSampler(sampleCount: frameCount)
        sampler.missesTail = repeats(.unseenTail)
        sampler.wrapsShortVideos = repeats(.wrappedFrames)
        return sampler
    }

    /// - Parameter own: as in `normalization(insteadOf:)`.
    package func apply(to transform: inout ClipTransform.Configuration, own: PixelNormalization) {
        transform.normalization = VideoData.Normalization(normalization(insteadOf: own))
        transform.roundsToFloat16 = repeats(.halfInputs)
    }

    package func apply(to training: inout TrainingConfiguration) {
        training.startsIdle = repeats(.idleFirstStep)
        training.dropsAfterWarmup = repeats(.unshiftedCosine)
        training.discardsLeftovers = repeats(.discardedLeftovers)
    }

    /// The views of a test. By chance only where there are several in time, as in the reference.
    package func apply(toTests loading: inout ClipLoader.Configuration) {
        loading.viewCount = evaluation.views?.clips ?? 1
        loading.drawsViews = loading.viewCount > 1 && repeats(.randomViews)
    }

    /// The words around class names in a test without learned text prompts; nil for the prompt file's or the default.
    package func testTemplate(hasPrompts: Bool) -> String? { !hasPrompts && repeats(.bareNames) ? "{}" : template }
}

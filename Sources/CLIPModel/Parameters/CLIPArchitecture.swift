import Tensors

/// The sizes of a CLIP with two transformers, inferred from tensor shapes, and what shapes do not show: the
/// number of heads, the activation, and the form of the towers.
package struct CLIPArchitecture: Sendable, Equatable {
    /// Tokens of CLIP's own vocabulary.
    static let usualVocabularySize = 49_408

    /// One transformer's sizes.
    package struct Tower: Sendable, Equatable {
        package var width: Int
        package var layerCount: Int
        /// Divides `width` exactly.
        package var headCount: Int
        /// Width of the hidden layer of each block's MLP.
        package var mlpWidth: Int

        /// - Parameters:
        ///   - headCount: as many as there are with OpenAI CLIP's heads of 64 by default.
        ///   - mlpWidth: four times the width by default.
        package init(width: Int, layerCount: Int, headCount: Int? = nil, mlpWidth: Int? = nil) {
            self.width = width
            self.layerCount = layerCount
            self.headCount = headCount ?? Self.usualHeadCount(width: width)
            self.mlpWidth = mlpWidth ?? 4 * width
        }

        package static func usualHeadCount(width: Int) -> Int { max(1, width / 64) }

        package var headWidth: Int { width / headCount }
    }

    package var vision: Tower
    package var text: Tower
    /// Pixels along a side of the square input.
    package var imagePixels: Int
    /// Pixels along a side of a patch.
    package var patchPixels: Int
    /// Width of the space that both towers project into.
    package var embeddingWidth: Int
    package var contextLength: Int
    package var vocabularySize: Int
    /// Of the MLPs of both towers.
    package var activation: Activation
    /// Of the text tower's where these are not as the image tower's.
    package var otherTextActivation: Activation?
    /// Nil where the vision tower sees each frame alone, as in CLIP.
    package var crossFrame: CrossFrameArchitecture?
    /// What the towers do otherwise than CLIP's.
    package var form: TowerForm

    package init(
        vision: Tower, text: Tower, imagePixels: Int, patchPixels: Int, embeddingWidth: Int,
        contextLength: Int, vocabularySize: Int, activation: Activation = .quickGELU, crossFrame: CrossFrameArchitecture? = nil,
        form: TowerForm = .clip, otherTextActivation: Activation? = nil
    ) {
        self.vision = vision
        self.text = text
        self.imagePixels = imagePixels
        self.patchPixels = patchPixels
        self.embeddingWidth = embeddingWidth
        self.contextLength = contextLength
        self.vocabularySize = vocabularySize
        self.activation = activation
        self.crossFrame = crossFrame
        self.form = form
        self.otherTextActivation = otherTextActivation
    }

    package var patchesPerSide: Int { imagePixels / patchPixels }
    package var patchCount: Int { patchesPerSide * patchesPerSide }
    package var patchWidth: Int { 3 * patchPixels * patchPixels }
    /// Numbers of a frame's features: its place among the texts, and where frames see each other also its patches.
    package var featureWidth: Int { embeddingWidth + (crossFrame == nil ? 0 : patchCount * vision.width) }

    /// For messages: "ViT 768×12 patch 16 at 224 px, text 512×12, joint 512".
    package var summary: String {
        "ViT \(vision.width)×\(vision.layerCount) patch \(patchPixels) at \(imagePixels) px, "
            + "text \(text.width)×\(text.layerCount), joint \(embeddingWidth)"
            + (crossFrame.map { ", X-CLIP of \($0.frameCount) frames" } ?? "")
            + (form.family == .clip ? "" : ", \(form.family.rawValue)")
    }
}

/// The sizes of a CLIP with two transformers. Everything is inferred from tensor shapes.
package struct CLIPArchitecture: Sendable, Equatable {
    /// One transformer's sizes.
    package struct Tower: Sendable, Equatable {
        package var width: Int
        package var layerCount: Int
        /// CLIP's heads are 64 wide.
        package var headCount: Int { width / 64 }

        package init(width: Int, layerCount: Int) {
            self.width = width
            self.layerCount = layerCount
        }
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

    package init(
        vision: Tower, text: Tower, imagePixels: Int, patchPixels: Int, embeddingWidth: Int,
        contextLength: Int, vocabularySize: Int
    ) {
        self.vision = vision
        self.text = text
        self.imagePixels = imagePixels
        self.patchPixels = patchPixels
        self.embeddingWidth = embeddingWidth
        self.contextLength = contextLength
        self.vocabularySize = vocabularySize
    }

    package var patchesPerSide: Int { imagePixels / patchPixels }
    package var patchCount: Int { patchesPerSide * patchesPerSide }
    package var patchWidth: Int { 3 * patchPixels * patchPixels }

    /// For messages: "ViT 768×12 patch 16 at 224 px, text 512×12, joint 512".
    package var summary: String {
        "ViT \(vision.width)×\(vision.layerCount) patch \(patchPixels) at \(imagePixels) px, "
            + "text \(text.width)×\(text.layerCount), joint \(embeddingWidth)"
    }
}

import Tensors

/// What no prompt changes of a clip, in the form in which it is kept from epoch to epoch.
extension VisionLayout {
    /// Rows of a frame.
    var cachedRows: Int { frameRows(of: promptFreeLayerCount) }

    /// Numbers of a row; where tokens merge, the last of them is how many patches it stands for.
    var cachedColumns: Int { architecture.vision.width + (mergedTokens == 0 ? 0 : 1) }
}

extension VisionTower {
    /// Fills `kept`, `[frames × cachedRows, cachedColumns]`, with what the layers below the first prompts make of `frames`.
    func keepCachedPrefix(of frames: Matrix, into kept: MutableMatrix, saved: VisionActivations, scratch: VisionScratch) {
        kept.columns(0..<architecture.vision.width).copy(cachedPrefix(frames: frames, saved: saved, scratch: scratch))
        if let sizes = saved.sizes(into: saved.layout.promptFreeLayerCount, scratch: scratch) {
            kept.columns(kept.columnCount - 1..<kept.columnCount).fill(with: sizes.values)
        }
    }

    /// The opposite: goes on from what was kept.
    func takeUp(cachedPrefix kept: Matrix, saved: VisionActivations, scratch: VisionScratch) {
        let layer = saved.layout.promptFreeLayerCount
        saved.stream(into: layer, scratch: scratch).copy(kept.columns(0..<architecture.vision.width))
        saved.sizes(into: layer, scratch: scratch)?.fill(with: kept.columns(kept.columnCount - 1..<kept.columnCount).values)
    }

    /// The sizes of every frame's tokens, with those of the prompts that join them.
    func joinSizes(saved: VisionActivations, block: BlockActivations, scratch: VisionScratch) {
        guard let layer = saved.layout.joinLayer, let sizes = saved.sizes(into: layer, scratch: scratch), let joined = block.merging?.sizes else { return }
        let (rows, joinedRows) = (sizes.count / saved.frameCount, joined.count / saved.frameCount)
        joined.fill(1)
        for frame in 0..<saved.frameCount {
            joined.columns(frame * joinedRows..<frame * joinedRows + rows).copy(sizes.columns(frame * rows..<(frame + 1) * rows))
        }
    }
}

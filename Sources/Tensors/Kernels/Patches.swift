import CKernels

/// Cuts square frames into patches, one row each, so that CLIP's patch convolution becomes a product.
///
/// - Parameters:
///   - frame: `[1, 3 × side × side]`: channels, then rows, then columns.
///   - output: `[(side / patch)², 3 × patch × patch]`.
package func cutPatches(frame: some Readable, side: Int, patch: Int, into output: MutableMatrix) {
    let frame = frame.reading
    let grid = side / patch
    precondition(frame.count == 3 * side * side && frame.isDense, "cutPatches needs a frame of 3 × \(side) × \(side)")
    precondition(output.rowCount == grid * grid && output.columnCount == 3 * patch * patch, "cutPatches output shape")
    unsafe vifi_patches(frame.pointer, side, patch, output.pointer, output.stride)
}

/// The gradient of `cutPatches` with respect to the frame.
///
/// - Parameters:
///   - patches: `[(side / patch)², 3 × patch × patch]`.
///   - frame: `[1, 3 × side × side]`, overwritten; 0 in pixels beyond the last whole patch.
package func joinPatches(_ patches: some Readable, side: Int, patch: Int, into frame: MutableMatrix) {
    let patches = patches.reading
    let grid = side / patch
    precondition(frame.count == 3 * side * side && frame.reading.isDense, "joinPatches needs a frame of 3 × \(side) × \(side)")
    precondition(patches.rowCount == grid * grid && patches.columnCount == 3 * patch * patch, "joinPatches input shape")
    frame.fill(0)
    unsafe vifi_join_patches(patches.pointer, patches.stride, side, patch, frame.pointer)
}

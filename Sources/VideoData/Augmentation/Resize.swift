import CKernels

/// Bilinear resizing of 8-bit pictures, bit for bit what OpenCV's `INTER_LINEAR` gives (4.11 and 5.0):
/// weights of 11 fractional bits, no smoothing before shrinking, and the mean of 2 × 2 pixels where both
/// sides are exactly halved.
///
/// Made once for a pair of sizes, used for every frame of a video.
package struct BilinearResize: Sendable {
    package let from: FrameSize
    package let to: FrameSize
    private let columns: Axis
    private let rows: Axis

    package init(from: FrameSize, to: FrameSize) {
        self.from = from
        self.to = to
        // OpenCV keeps the weights of columns beyond the edge at (1, 0) but lets those of rows
        // stand, both rows then being the edge row. The bits dropped on the way differ.
        columns = Axis(inputCount: from.width, outputCount: to.width, settlesEdges: true)
        rows = Axis(inputCount: from.height, outputCount: to.height, settlesEdges: false)
    }

    /// Where each output pixel of one direction comes from.
    private struct Axis: Sendable {
        var first: [Int32] = []
        var second: [Int32] = []
        /// Pairs, in units of 1/2048.
        var weights: [Int16] = []

        init(inputCount: Int, outputCount: Int, settlesEdges: Bool) {
            let scale = 1 / (Double(outputCount) / Double(inputCount))
            for output in 0..<outputCount {
                let position = Float((Double(output) + 0.5) * scale - 0.5)
                var index = Int(position.rounded(.down))
                var fraction = position - Float(index)
                if settlesEdges && (index < 0 || index >= inputCount - 1) {
                    index = min(max(index, 0), inputCount - 1)
                    fraction = 0
                }
                first.append(Int32(min(max(index, 0), inputCount - 1)))
                second.append(Int32(min(max(index + 1, 0), inputCount - 1)))
                weights.append(Int16(((1 - fraction) * 2048).rounded(.toNearestOrEven)))
                weights.append(Int16((fraction * 2048).rounded(.toNearestOrEven)))
            }
        }
    }

    /// - Precondition: the frame has the size this was made for.
    package func callAsFunction(_ frame: VideoFrame) -> VideoFrame {
        precondition(frame.size == from, "the frame has another size than the resize was made for")
        if from == to { return frame }
        var output = [UInt8](repeating: 0, count: to.byteCount)
        if from.width == 2 * to.width && from.height == 2 * to.height {
            halve(frame.pixels, into: &output)
        } else {
            interpolate(frame.pixels, into: &output)
        }
        return VideoFrame(width: to.width, height: to.height, pixels: output)
    }

    private func halve(_ input: [UInt8], into output: inout [UInt8]) {
        unsafe input.withUnsafeBufferPointer { source in
            unsafe output.withUnsafeMutableBufferPointer { target in
                guard let source = source.baseAddress, let target = target.baseAddress else { return }
                for row in 0..<to.height {
                    let upper = unsafe source + 2 * row * from.width * 3
                    unsafe vifi_resize_halve_rows(upper, upper + from.width * 3, target + row * to.width * 3, to.width)
                }
            }
        }
    }

    private func interpolate(_ input: [UInt8], into output: inout [UInt8]) {
        let rowCount = to.width * 3
        // Two stretched input rows, kept while the next output row still needs them.
        var stretched = [Int32](repeating: 0, count: 2 * rowCount)
        var held: [Int32] = [-1, -1]
        unsafe input.withUnsafeBufferPointer { source in
            unsafe output.withUnsafeMutableBufferPointer { target in
                unsafe stretched.withUnsafeMutableBufferPointer { scratch in
                    guard let source = source.baseAddress, let target = target.baseAddress,
                        let scratch = scratch.baseAddress
                    else { return }
                    for row in 0..<to.height {
                        let first = rows.first[row]
                        let second = rows.second[row]
                        let upperSlot = slot(of: first, sparing: second, in: held)
                        if held[upperSlot] != first {
                            unsafe stretch(source, row: first, into: scratch + upperSlot * rowCount)
                            held[upperSlot] = first
                        }
                        let lowerSlot = second == first ? upperSlot : 1 - upperSlot
                        if held[lowerSlot] != second {
                            unsafe stretch(source, row: second, into: scratch + lowerSlot * rowCount)
                            held[lowerSlot] = second
                        }
                        unsafe vifi_resize_mix_rows(
                            scratch + upperSlot * rowCount, scratch + lowerSlot * rowCount,
                            Int32(rows.weights[2 * row]), Int32(rows.weights[2 * row + 1]),
                            target + row * rowCount, rowCount)
                    }
                }
            }
        }
    }

    /// The slot that holds `row`, else the one that does not hold `other`.
    private func slot(of row: Int32, sparing other: Int32, in held: [Int32]) -> Int {
        if held[0] == row { return 0 }
        if held[1] == row { return 1 }
        return held[0] == other ? 1 : 0
    }

    private func stretch(_ source: UnsafePointer<UInt8>, row: Int32, into out: UnsafeMutablePointer<Int32>) {
        unsafe vifi_resize_row(
            source + Int(row) * from.width * 3, columns.first, columns.second, columns.weights, out, to.width)
    }
}

/// Width and height in pixels.
package struct FrameSize: Sendable, Hashable {
    package var width: Int
    package var height: Int

    package init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    package var byteCount: Int { width * height * 3 }

    /// This size with its shorter side at `shortSide`, the longer one ⌊x · scale + ½⌋ (mmcv's `rescale_size`).
    package func scaled(toShortSide shortSide: Int) -> FrameSize {
        let scale = Double(shortSide) / Double(min(width, height))
        return FrameSize(width: Int(Double(width) * scale + 0.5), height: Int(Double(height) * scale + 0.5))
    }
}

extension VideoFrame {
    package var size: FrameSize { FrameSize(width: width, height: height) }

    package func resized(to size: FrameSize) -> VideoFrame {
        size == self.size ? self : BilinearResize(from: self.size, to: size)(self)
    }

    /// The frame with its shorter side at `shortSide` pixels, keeping its shape.
    ///
    /// A frame more than 32 times as long as wide is first cut to that, in its middle: blown up whole,
    /// a file of a few bytes could fill the memory.
    package func resized(shortSide: Int) -> VideoFrame {
        let limit = 32 * min(width, height)
        let kept = FrameSize(width: min(width, limit), height: min(height, limit))
        let box = CropBox(
            left: (width - kept.width) / 2, top: (height - kept.height) / 2, width: kept.width, height: kept.height)
        return cropped(to: box).resized(to: kept.scaled(toShortSide: shortSide))
    }

    /// - Precondition: the box lies within the frame and is not empty.
    package func cropped(to box: CropBox) -> VideoFrame {
        precondition(
            box.left >= 0 && box.top >= 0 && box.width > 0 && box.height > 0 && box.left + box.width <= width
                && box.top + box.height <= height, "the crop leaves the frame")
        if box.width == width && box.height == height { return self }
        var result: [UInt8] = []
        result.reserveCapacity(box.width * box.height * 3)
        for row in box.top..<box.top + box.height {
            let start = (row * width + box.left) * 3
            result.append(contentsOf: pixels[start..<start + box.width * 3])
        }
        return VideoFrame(width: box.width, height: box.height, pixels: result)
    }

    /// Mirrored left to right.
    package func flipped() -> VideoFrame {
        var result = pixels
        for row in 0..<height {
            var source = row * width * 3
            var target = source + (width - 1) * 3
            for _ in 0..<width {
                result[target] = pixels[source]
                result[target + 1] = pixels[source + 1]
                result[target + 2] = pixels[source + 2]
                source += 3
                target -= 3
            }
        }
        return VideoFrame(width: width, height: height, pixels: result)
    }
}

/// Where a tensor's elements lie in its storage.
struct StridedLayout: Sendable {
    let shape: [Int]
    /// In elements.
    let strides: [Int]
    /// The first element used.
    let offset: Int
    /// Elements of the storage from the first to the last one used.
    let spanCount: Int

    /// Whether the elements follow each other in row-major order without gaps.
    let isContiguous: Bool

    /// - Parameters:
    ///   - shape: without overflow, as `checkedElementCount` tells; at least one element or none.
    ///   - storedCount: elements in the storage.
    init(
        shape: [Int], strides: [Int], offset: Int, storedCount: Int
    ) throws(WeightFileError.StorageFault) {
        let outside = WeightFileError.StorageFault.outside(
            shape: shape, strides: strides, offset: offset, elementCount: storedCount)
        var last = 0
        if !shape.contains(0) {
            for (dimension, stride) in zip(shape, strides) {
                let (distance, overflow) = (dimension - 1).multipliedReportingOverflow(by: stride)
                let (sum, sumOverflow) = last.addingReportingOverflow(distance)
                guard !overflow, !sumOverflow else { throw outside }
                last = sum
            }
        }
        spanCount = shape.contains(0) ? 0 : last + 1
        guard offset <= storedCount, spanCount <= storedCount - offset else { throw outside }
        var next = 1
        var isContiguous = true
        for (dimension, stride) in zip(shape, strides).reversed() where dimension != 1 {
            if stride != next { isContiguous = false }
            next *= max(dimension, 1)
        }
        self.isContiguous = isContiguous || spanCount == 0
        self.shape = shape
        self.strides = strides
        self.offset = offset
        guard self.isContiguous || Self.isMonotonic(shape: shape, strides: strides) else {
            throw .overlapping(shape: shape, strides: strides)
        }
    }

    /// Whether the dimensions, in the order of their strides, step over each other: then walking them in
    /// that order never goes back. Repeated dimensions (stride 0) come last.
    private static func isMonotonic(shape: [Int], strides: [Int]) -> Bool {
        var span = 0
        for (dimension, stride) in zip(shape, strides).sorted(by: { $0.1 < $1.1 }) where dimension > 1 && stride > 0 {
            guard stride > span else { return false }
            span += (dimension - 1) * stride
        }
        return true
    }

    /// Calls `body` for runs of elements in the order of the storage: the first's index in the storage's
    /// span, its place in row-major order, and the same two distances between elements of the run.
    func forEachRun(
        _ body: (_ source: Int, _ target: Int, _ sourceStep: Int, _ targetStep: Int, _ count: Int) throws(WeightFileError) -> Void
    ) throws(WeightFileError) {
        guard spanCount > 0 else { return }
        var targetStrides = [Int](repeating: 1, count: shape.count)
        for dimension in shape.indices.dropLast().reversed() {
            targetStrides[dimension] = targetStrides[dimension + 1] * shape[dimension + 1]
        }
        let order = shape.indices.filter { shape[$0] > 1 }.sorted { (strides[$0], $1) > (strides[$1], $0) }
        guard let inner = order.last else { return try body(0, 0, 1, 1, 1) }
        let outer = Array(order.dropLast())
        var counters = [Int](repeating: 0, count: outer.count)
        var (source, target) = (0, 0)
        while true {
            try body(source, target, strides[inner], targetStrides[inner], shape[inner])
            // The last counter turns fastest.
            var digit = outer.count - 1
            while digit >= 0 {
                let dimension = outer[digit]
                counters[digit] += 1
                source += strides[dimension]
                target += targetStrides[dimension]
                if counters[digit] < shape[dimension] { break }
                source -= strides[dimension] * shape[dimension]
                target -= targetStrides[dimension] * shape[dimension]
                counters[digit] = 0
                digit -= 1
            }
            if digit < 0 { return }
        }
    }
}

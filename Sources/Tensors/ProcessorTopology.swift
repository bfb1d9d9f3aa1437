import CKernels

/// Which processors are hardware threads of one core, as Linux tells it.
///
/// Source: Documentation/ABI/stable/sysfs-devices-system-cpu of the kernel.
package struct ProcessorTopology: Sendable {
    private let root: String

    /// - Parameter root: stands before every path.
    package init(root: String = "") { self.root = root }

    /// Those of this process's affinity mask; none where it cannot be read.
    package static var allowedProcessors: [Int] {
        // As many as a mask of the C library holds.
        var numbers = [Int32](repeating: 0, count: 1024)
        let count = unsafe vifi_allowed_processors(&numbers, Int32(numbers.count))
        return numbers.prefix(Int(count)).map(Int.init)
    }

    /// Cores that have at least one of `processors`. A processor of which nothing is told is a core of its own.
    package func coreCount(of processors: some Sequence<Int>) -> Int {
        var counted: Set<Int> = []
        return processors.reduce(0) { count, processor in
            let isNew = !counted.contains(processor)
            counted.formUnion(siblings(of: processor))
            return count + (isNew ? 1 : 0)
        }
    }

    private func siblings(of processor: Int) -> Set<Int> {
        let text = kernelFile("\(root)/sys/devices/system/cpu/cpu\(processor)/topology/thread_siblings_list")
        return Self.numbers(text.filter { !$0.isWhitespace }).union([processor])
    }

    /// The numbers of "0-3,8".
    package static func numbers(_ text: String) -> Set<Int> {
        text.split(separator: ",").reduce(into: []) { result, part in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            if let first = ends.first, let last = ends.last, first <= last, last < 1 << 16 { result.formUnion(first...last) }
        }
    }
}

/// Clips of one video by their times, among which one that has moments in common with another is found without a look at
/// all of them: a video may have as many parts as a list has lines.
struct PartsOfVideo {
    private struct Part {
        let start: Double
        let end: Double
        let position: Int
    }

    /// By start.
    private var parts: [Part] = []
    /// The latest end of the parts up to each.
    private var latestEnds: [Double] = []
    /// The position of the clip that was added first.
    private(set) var first: Int?

    /// - Parameter part: nil for the whole video.
    mutating func add(_ part: ClipPart?, _ position: Int) {
        let bounds = Self.bounds(part)
        first = first ?? position
        // Lists mostly name parts in the order of their times, which puts them at the end.
        let place = parts.partitionPoint { $0.start <= bounds.start }
        parts.insert(Part(start: bounds.start, end: bounds.end, position: position), at: place)
        latestEnds.insert(bounds.end, at: place)
        for index in place..<parts.count { latestEnds[index] = max(parts[index].end, index > 0 ? latestEnds[index - 1] : 0) }
    }

    /// The position of the earliest clip that has a moment in common with a part; see `ClipPart.overlap`.
    func meeting(_ part: ClipPart?) -> Int? {
        let bounds = Self.bounds(part)
        // The first that ends late enough; those after it start no earlier.
        let place = latestEnds.partitionPoint { $0 <= bounds.start }
        guard place < parts.count, parts[place].start < bounds.end else { return nil }
        return parts[place].position
    }

    private static func bounds(_ part: ClipPart?) -> (start: Double, end: Double) { part.map { ($0.start, $0.end) } ?? (0, .infinity) }
}

import Files
import Tensors

/// Which pixels of every frame a prompt in pixels is added to.
package struct PixelArea: Sendable, Equatable, Codable {
    package enum Form: String, Sendable, Codable, CaseIterable {
        /// A border along the four edges.
        case padding
        /// A square at the top left.
        case fixedPatch = "fixed-patch"
        /// A square whose place is drawn in each step of learning. Where nothing is learned it stands in the middle, so that a video
        /// has one answer; its authors draw there, too.
        case randomPatch = "random-patch"
    }

    package let form: Form
    /// Pixels that the border is wide, or the square.
    package let width: Int
    /// Pixels of a frame's side.
    package let side: Int

    /// - Precondition: `width` is in `widths(of:side:)`.
    package init(_ form: Form, width: Int, side: Int) {
        precondition(Self.widths(of: form, side: side).contains(width), "\(form.rawValue) of \(width) in frames of \(side) pixels")
        (self.form, self.width, self.side) = (form, width, side)
    }

    /// Widths for which there is room in a frame: a border leaves pixels within, a square fills it at most.
    package static func widths(of form: Form, side: Int) -> ClosedRange<Int> { 1...max(1, form == .padding ? (side - 1) / 2 : side) }

    /// The width that stands to `side` as the authors' 30 pixels to their 224.
    package static func usualWidth(side: Int) -> Int { max(1, (30 * side + 112) / 224) }

    /// In which the authors read class names, without a full stop.
    package static let authorsTemplate = "This is a photo of a {}"

    /// A rectangle of pixels.
    struct Region: Equatable {
        let rows: Range<Int>
        let columns: Range<Int>

        init(top: Int, left: Int, height: Int, width: Int) { (rows, columns) = (top..<top + height, left..<left + width) }
    }

    /// Where the upper left corner of a patch stands. A border stands where it does.
    package struct Place: Sendable, Equatable {
        package let top: Int
        package let left: Int

        package init(top: Int, left: Int) { (self.top, self.left) = (top, left) }
    }

    /// Where nothing is drawn.
    var place: Place { form == .randomPatch ? Place(top: (side - width) / 2, left: (side - width) / 2) : Place(top: 0, left: 0) }

    /// Where a step of learning adds it. It depends on the arguments alone, so that threads, ranks and a resumed run draw the same; the
    /// last row and column of places is never drawn, as in the authors' code.
    package func place(seed: UInt64, step: Int) -> Place {
        guard form == .randomPatch, side > width else { return place }
        var random = RandomSource(seed: seed, purpose: .patchPlace, item: step)
        return Place(top: random.integer(below: side - width), left: random.integer(below: side - width))
    }

    /// The tensors' names in prompt files, without `PixelPrompt.prefix`; as in the authors' checkpoints.
    package var names: [String] { form == .padding ? ["pad_up", "pad_down", "pad_left", "pad_right"] : ["patch"] }

    /// Of each tensor; the corners belong to the upper and lower edge.
    func regions(at place: Place) -> [Region] {
        guard form == .padding else { return [Region(top: place.top, left: place.left, height: width, width: width)] }
        let inner = side - 2 * width
        return [
            Region(top: 0, left: 0, height: width, width: side), Region(top: side - width, left: 0, height: width, width: side),
            Region(top: width, left: 0, height: inner, width: width), Region(top: width, left: side - width, height: inner, width: width),
        ]
    }

    /// Rows and columns of each tensor: three channels, one below the other.
    var shapes: [(rows: Int, columns: Int)] { regions(at: place).map { (3 * $0.rows.count, $0.columns.count) } }

    /// Numbers that are learned.
    package var count: Int { shapes.reduce(0) { $0 + $1.rows * $1.columns } }

    /// For people: "a border of 30 pixels in frames of 224".
    package var words: String {
        let shape = switch form {
        case .padding: "a border of \(counted(width, "pixel", "pixels"))"
        case .fixedPatch: "a patch of \(width) × \(width) pixels at the top left"
        case .randomPatch: "a patch of \(width) × \(width) pixels at a place drawn in each step"
        }
        return shape + " of frames of \(side) × \(side)"
    }
}

/// What is added to the normalized pixels of every frame, the same for all frames of all clips.
///
/// Source: Bahng et al. 2022, "Exploring Visual Prompts for Adapting Large-Scale Models", models/prompters.py;
/// `methods_more.md` 1.
package struct PixelPrompt<Element: Readable>: Sendable {
    package let area: PixelArea
    /// As `PixelArea.names` has them, `[3 × height, width]` each: red above green above blue.
    package let tensors: [Element]

    /// - Precondition: the tensors have the area's shapes.
    package init(_ tensors: [Element], area: PixelArea) {
        precondition(
            tensors.count == area.shapes.count && zip(tensors, area.shapes).allSatisfy { ($0.rowCount, $0.columnCount) == $1 },
            "tensors of another area than \(area.words)")
        (self.tensors, self.area) = (tensors, area)
    }

    /// Before the tensors' names in prompt files.
    static var prefix: String { "pixels." }

    /// The tensors under the names that prompt files use.
    var named: [(name: String, element: Element)] { zip(area.names, tensors).map { (Self.prefix + $0, $1) } }

    /// The same with each tensor transformed.
    package func map<Other>(_ transform: (Element) -> Other) -> PixelPrompt<Other> { PixelPrompt<Other>(tensors.map(transform), area: area) }

    /// What is added to a whole frame, `[1, 3 × side × side]`; 0 outside the area.
    ///
    /// - Parameter place: of a patch; where nothing is drawn if nil.
    package func frame(at place: PixelArea.Place? = nil) -> MutableMatrix {
        let side = area.side
        let frame = MutableMatrix(rows: 3 * side, columns: side)
        for (window, element) in windows(of: frame, at: place) { window.copy(element) }
        return frame.reshaped(rows: 1, columns: 3 * side * side)
    }

    /// The gradient of `frame`, added to `gradients`.
    package func backward(frameGradient: MutableMatrix, at place: PixelArea.Place? = nil, into gradients: PixelPrompt<MutableMatrix>) {
        let frame = frameGradient.reshaped(rows: 3 * area.side, columns: area.side)
        for (window, gradient) in gradients.windows(of: frame, at: place) { add(window, to: gradient) }
    }

    /// Each channel of each tensor beside its place in a frame `[3 × side, side]`.
    private func windows(of frame: MutableMatrix, at place: PixelArea.Place?) -> [(window: MutableMatrix, element: Element)] {
        zip(area.regions(at: place ?? area.place), tensors).flatMap { region, element in
            (0..<3).map { channel in
                let (top, height) = (channel * area.side, region.rows.count)
                return (
                    frame.rows(top + region.rows.lowerBound..<top + region.rows.upperBound).columns(region.columns),
                    element.rows(channel * height..<(channel + 1) * height)
                )
            }
        }
    }
}

extension PixelPrompt<MutableMatrix> {
    package init(zeros area: PixelArea) {
        self.init(area.shapes.map { MutableMatrix(rows: $0.rows, columns: $0.columns) }, area: area)
    }

    /// N(0, 1), as its authors start.
    ///
    /// - Parameter source: the random stream of a tensor, counted from 0.
    func draw(from source: (Int) -> RandomSource) {
        for (index, tensor) in tensors.enumerated() {
            var source = source(index)
            tensor.fill(with: (0..<tensor.count).map { _ in source.normal() })
        }
    }
}

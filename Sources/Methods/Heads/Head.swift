import Foundation
import Tensors

/// A classifier that is learned from features of a frozen CLIP, in seconds.
///
/// A head is a value. It scores features by itself: what it needs of the texts it holds.
package protocol Head: Sendable {
    /// Settings; `init()` gives those of the method's authors.
    associatedtype Settings: HeadSettings

    static var kind: HeadKind { get }

    /// Learns the head.
    ///
    /// - Parameter validation: other clips of the same classes, by which some heads choose a number as their authors do.
    ///   Nothing else is learned from them.
    static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> Self

    /// `[rows, classes]`.
    func logits(of features: HeadFeatures) throws(HeadError) -> Matrix

    /// Numbers that were learned or computed from clips.
    var parameterCount: Int { get }

    /// Everything that `init(tensors:settings:)` needs, by the authors' names where they save such files.
    var tensors: [HeadTensor] { get }
    var settings: Settings { get }
    init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError)

    /// The same scores as one product with unit features, up to a number that is the same for all classes of a row. nil
    /// where the head is not linear.
    var linear: LinearClassifier? { get }

    /// How `logits` is computed, for programs that do it by themselves; that of `linear` by default. nil where it cannot be said.
    var formula: HeadFormula? { get }

    /// Settings worth comparing on held-out clips, the first the authors': what they choose on a validation list themselves.
    ///
    /// - Parameter rowCount: of the examples; heads whose price grows steeply with it have fewer then.
    static func candidates(rowCount: Int) -> [Settings]

    /// `[inner width, width]`: what the head projects features by itself, in the place of the tower's projection; `linear`
    /// is then about features that went through this one. nil for heads that take the tower's.
    var projection: Matrix? { get }
}

extension Head {
    package var projection: Matrix? { nil }
    package static func candidates(rowCount: Int) -> [Settings] { [Settings()] }
}

/// Settings of a head: they can be stored and compared, and `init()` gives those of the method's authors.
package protocol HeadSettings: Codable, Sendable, Equatable {
    init()
}

/// A head whose scores of each clip by a head that was learned without that clip have a closed form.
package protocol LeaveOneOutHead: Head {
    /// `[rows, classes]`: every view scored by the head that is learned without that view's clip. Exact: the same numbers,
    /// up to rounding, as learning anew for every clip.
    static func leaveOneOutLogits(_ examples: HeadExamples, settings: Settings, context: HeadContext) throws(HeadError) -> Matrix

    /// The same for each of `candidates`.
    static func leaveOneOutCandidates(
        _ examples: HeadExamples, context: HeadContext
    ) throws(HeadError) -> [(settings: Settings, logits: Matrix)]

    /// Whether there is a closed form where some class has no clips, too.
    static var leavesOutBesideEmptyClasses: Bool { get }
}

extension LeaveOneOutHead {
    package static var leavesOutBesideEmptyClasses: Bool { true }

    package static func leaveOneOutCandidates(
        _ examples: HeadExamples, context: HeadContext
    ) throws(HeadError) -> [(settings: Settings, logits: Matrix)] {
        var result: [(settings: Settings, logits: Matrix)] = []
        for settings in candidates(rowCount: examples.count) {
            result.append((settings, try leaveOneOutLogits(examples, settings: settings, context: context)))
        }
        return result
    }
}

/// A head to which classes can be added without the clips that it was learned from.
package protocol ExtendableHead: Head {
    /// The head that the clips of all classes would give with the same settings, up to rounding.
    ///
    /// - Parameter examples: clips and texts of the new classes alone, each with a clip; their labels count from 0, and the classes
    ///   come behind those that there are.
    func extended(by examples: HeadExamples) throws(HeadError) -> Self
}

/// One matrix below the other.
func stacked(_ above: Matrix, _ below: Matrix) throws(HeadError) -> Matrix {
    try needs("columns of the features", below.columnCount, above.columnCount)
    return MutableMatrix(rows: above.rowCount + below.rowCount, columns: above.columnCount, above.values + below.values).reading
}

/// A named tensor of a head.
package struct HeadTensor: Sendable, Equatable {
    package let name: String
    package let shape: [Int]
    package let values: [Float]

    package init(name: String, shape: [Int], values: [Float]) {
        precondition(shape.reduce(1, *) == values.count, "\(values.count) values for \(shape)")
        self.name = name
        self.shape = shape
        self.values = values
    }

    init(_ name: String, _ matrix: some Readable) {
        self.init(name: name, shape: [matrix.rowCount, matrix.columnCount], values: matrix.values)
    }

    init(_ name: String, _ number: Float) { self.init(name: name, shape: [1], values: [number]) }
    init(_ name: String, _ vector: [Float]) { self.init(name: name, shape: [vector.count], values: vector) }
}

/// A linear classifier on unit features: `logits = unit features · weightᵀ + bias`.
package struct LinearClassifier: Sendable {
    /// `[classes, width]`.
    package let weight: Matrix
    package let bias: [Float]

    init(weight: some Readable, bias: [Float]? = nil) {
        self.weight = weight.reading
        self.bias = bias ?? [Float](repeating: 0, count: weight.rowCount)
    }

    /// - Parameter unit: rows of unit length.
    package func logits(ofUnit unit: Matrix) throws(HeadError) -> Matrix {
        try needs("columns of the features", unit.columnCount, weight.columnCount)
        let output = MutableMatrix(rows: unit.rowCount, columns: weight.rowCount)
        Tensors.linear(unit, weight: weight, bias: MutableMatrix(rows: 1, columns: bias.count, bias), into: output)
        return output.reading
    }
}

/// How far learning has come.
package struct HeadProgress: Sendable, Equatable {
    package let head: HeadKind
    /// Steps taken.
    package let step: Int
    package let stepCount: Int
    /// Of the last step, where it has one.
    package let loss: Double?
}

/// What learning takes from its surroundings.
package struct HeadContext: Sendable {
    package let pool: WorkerPool
    /// Names the random streams of starts and orders.
    package let seed: UInt64
    /// Told after every step; false ends the learning with `HeadError.cancelled`.
    package let goesOn: @Sendable (HeadProgress) -> Bool

    package init(pool: WorkerPool, seed: UInt64 = 1, goesOn: @escaping @Sendable (HeadProgress) -> Bool = { _ in true }) {
        self.pool = pool
        self.seed = seed
        self.goesOn = goesOn
    }

    func report(_ head: HeadKind, step: Int, of stepCount: Int, loss: Double? = nil) throws(HeadError) {
        if let loss, !loss.isFinite { throw .diverged(head: head, step: step) }
        guard goesOn(HeadProgress(head: head, step: step, stepCount: stepCount, loss: loss)) else {
            throw .cancelled(head: head, step: step, stepCount: stepCount)
        }
    }
}

extension Head {
    /// The settings as JSON with sorted keys, to be stored beside the tensors.
    package var settingsText: String { Self.text(of: settings) }

    static func text(of settings: Settings) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        // Settings are numbers, names and their optionals: they always encode.
        guard let data = try? encoder.encode(settings) else { preconditionFailure("settings that cannot be encoded") }
        return String(decoding: data, as: UTF8.self)
    }

    /// - Parameter settingsText: JSON, or nil for the authors' settings; what it leaves out is theirs.
    /// - Throws: `setting` for a key that there is not, `unreadableSettings` for anything else.
    package static func settings(from settingsText: String?) throws(HeadError) -> Settings {
        guard let settingsText else { return Settings() }
        let known = Set(Mirror(reflecting: Settings()).children.compactMap(\.label))
        do {
            let given = try JSONDecoder().decode([String: JSONSetting].self, from: Data(settingsText.utf8))
            if let unknown = given.keys.sorted().first(where: { !known.contains($0) }) {
                throw HeadError.setting(name: unknown, value: "set: there is no such setting", head: kind)
            }
            let theirs = try JSONDecoder().decode([String: JSONSetting].self, from: Data(text(of: Settings()).utf8))
            let merged = try JSONEncoder().encode(theirs.merging(given) { $1 })
            return try JSONDecoder().decode(Settings.self, from: merged)
        } catch let error as HeadError { throw error } catch {
            throw .unreadableSettings(head: kind, reason: String(describing: error))
        }
    }

    package static func fit(_ examples: HeadExamples, context: HeadContext) throws(HeadError) -> Self {
        try fit(examples, validation: nil, settings: Settings(), context: context)
    }

    /// Throws where a setting is not in its range.
    static func check(_ name: String, _ value: Double, in range: ClosedRange<Double>) throws(HeadError) {
        guard range.contains(value) else { throw .setting(name: name, value: "\(value)", head: kind) }
    }

    /// Epochs and rows of a batch.
    static func check(_ name: String, count: Int) throws(HeadError) {
        guard (1...1_000_000).contains(count) else { throw .setting(name: name, value: "\(count)", head: kind) }
    }
}

/// Reads the tensors of a head with their shapes checked.
package struct HeadTensorReader {
    let tensors: [String: HeadTensor]
    let head: HeadKind

    /// A matrix; rows or columns that are nil may be any number but 0.
    func matrix(_ name: String, rows: Int? = nil, columns: Int? = nil) throws(HeadError) -> Matrix {
        guard let tensor = tensors[name] else { throw .missingTensor(name: name, head: head) }
        guard tensor.shape.count == 2, tensor.shape[0] == rows ?? max(1, tensor.shape[0]),
            tensor.shape[1] == columns ?? max(1, tensor.shape[1])
        else {
            let found = tensor.shape + [0, 0]
            throw .tensorShape(name: name, found: tensor.shape, needed: [rows ?? max(1, found[0]), columns ?? max(1, found[1])], head: head)
        }
        try checkNumbers(tensor.values, name)
        return MutableMatrix(rows: tensor.shape[0], columns: tensor.shape[1], tensor.values).reading
    }

    func vector(_ name: String, count: Int) throws(HeadError) -> [Float] {
        guard let tensor = tensors[name] else { throw .missingTensor(name: name, head: head) }
        guard tensor.shape == [count] else { throw .tensorShape(name: name, found: tensor.shape, needed: [count], head: head) }
        try checkNumbers(tensor.values, name)
        return tensor.values
    }

    func number(_ name: String) throws(HeadError) -> Float { try vector(name, count: 1)[0] }

    private func checkNumbers(_ values: [Float], _ name: String) throws(HeadError) {
        if !values.allSatisfy(\.isFinite) { throw .notNumbers(what: "the tensor \"\(name)\"", row: 0) }
    }
}

/// A value of the settings, as JSON has it.
private enum JSONSetting: Codable {
    case truth(Bool), number(Double), text(String), list([Double]), nothing

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .nothing
        } else if let truth = try? container.decode(Bool.self) {
            self = .truth(truth)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else {
            self = .list(try container.decode([Double].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .truth(let truth): try container.encode(truth)
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        case .list(let list): try container.encode(list)
        case .nothing: try container.encodeNil()
        }
    }
}

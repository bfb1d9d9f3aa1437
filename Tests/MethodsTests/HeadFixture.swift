import Foundation
import Methods
import Synchronization
import Tensors
import TestSupport
import Testing

/// The features that all heads are compared on.
struct HeadFixture {
    static let classCount = 7
    static let viewCount = 3
    /// Clips per class that there are expected values for.
    static let shots = [1, 2, 4]

    private let features: TensorFixture
    let projection: MutableMatrix
    let texts: MutableMatrix
    let newTexts: MutableMatrix
    /// `[shot, class, view, 48]`.
    private let train: [Float]

    init() throws {
        features = try TensorFixture("heads/features")
        projection = MutableMatrix(rows: 48, columns: 32, try features.floats("projection"))
        texts = MutableMatrix(rows: 7, columns: 32, try features.floats("text"))
        newTexts = MutableMatrix(rows: 4, columns: 32, try features.floats("text_new"))
        train = try features.floats("train_before_projection")
    }

    /// Few steps of everything.
    static func shortSettings(_ kind: HeadKind) throws -> String {
        let object = try JSONSerialization.jsonObject(with: Data(kind.authorsSettings.utf8)) as? [String: Any]
        var settings = try #require(object)
        if kind == .taskRes || settings["epochs"] != nil { settings["epochs"] = 3 }
        if settings["steps"] != nil { settings["steps"] = 3 }
        if settings["batchSize"] != nil { settings["batchSize"] = 5 }
        return String(decoding: try JSONSerialization.data(withJSONObject: settings), as: UTF8.self)
    }

    static var context: HeadContext { HeadContext(pool: WorkerPool(threadCount: 2)) }

    private func projected(_ rows: MutableMatrix) -> HeadFeatures {
        let output = MutableMatrix(rows: rows.rowCount, columns: 32)
        multiply(rows, .asStored, projection, .asStored, into: output)
        return HeadFeatures(projected: output, unprojected: rows)
    }

    /// The first shots of each class, ordered by class, shot and view.
    ///
    /// - Parameters:
    ///   - views: how many of them.
    ///   - newClasses: adds the classes without clips behind the others.
    func examples(shots: Int, views: Int = viewCount, newClasses: Bool = false) throws -> HeadExamples {
        var rows: [Float] = []
        var labels: [Int] = []
        var clips: [Int] = []
        for label in 0..<Self.classCount {
            for shot in 0..<shots {
                for view in 0..<views {
                    let start = ((shot * Self.classCount + label) * Self.viewCount + view) * 48
                    rows += train[start..<start + 48]
                    labels.append(label)
                    clips.append(label * shots + shot)
                }
            }
        }
        let texts = newClasses ? MutableMatrix(rows: 11, columns: 32, texts.values + newTexts.values) : texts
        return try HeadExamples(
            features: projected(MutableMatrix(rows: labels.count, columns: 48, rows)), labels: labels, clips: clips, texts: texts,
            projection: projection)
    }

    var validation: HeadExamples {
        get throws {
            let labels = try features.integers("val_labels")
            return try HeadExamples(
                features: projected(MutableMatrix(rows: 14, columns: 48, try features.floats("val_before_projection"))), labels: labels,
                clips: Array(labels.indices), texts: texts, projection: projection)
        }
    }

    var test: HeadFeatures {
        get throws { projected(MutableMatrix(rows: 21, columns: 48, try features.floats("test_before_projection"))) }
    }

    var testLabels: [Int] { get throws { try features.integers("test_labels") } }

    var new: HeadFeatures {
        get throws { projected(MutableMatrix(rows: 12, columns: 48, try features.floats("new_before_projection"))) }
    }
}

/// What every head is held to.
let headTolerance: Float = 1e-4

/// Expects logits, and the same from what the head stores and, where it is linear, from its class matrix.
func expectHead<H: Head>(
    _ head: H, on features: HeadFeatures, gives expected: [Float], tolerance: Float = headTolerance,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let logits = try head.logits(of: features)
    expectClose(logits.values, expected, tolerance: tolerance, "\(H.kind.rawValue) logits", sourceLocation: sourceLocation)
    let loaded = try H.kind.load(tensors: head.tensors, settingsText: head.settingsText)
    #expect(try loaded.logits(of: features).values == logits.values, "loaded", sourceLocation: sourceLocation)
    #expect((head.linear != nil) == H.kind.isLinear, sourceLocation: sourceLocation)
    guard let linear = head.linear else { return }
    let projected = head.projection.map { features.projected(through: $0) } ?? features.projected
    let unit = MutableMatrix(rows: features.count, columns: projected.columnCount)
    normalizeRows(projected, into: unit, lengths: MutableMatrix(rows: 1, columns: features.count))
    let scores = try linear.logits(ofUnit: unit.reading)
    // Equal up to a number per row: the differences to the first class are compared.
    func differences(_ matrix: Matrix) -> [Float] {
        (0..<matrix.rowCount).flatMap { row in (0..<matrix.columnCount).map { matrix[row, $0] - matrix[row, 0] } }
    }
    expectClose(differences(scores), differences(logits), tolerance: 1e-5, "linear", sourceLocation: sourceLocation)
}

/// Keeps the loss of every step.
final class HeadLosses: Sendable {
    private let kept = Mutex<[Float]>([])
    var values: [Float] { kept.withLock { $0 } }

    var context: HeadContext {
        HeadContext(pool: WorkerPool(threadCount: 2)) { progress in
            self.kept.withLock { $0.append(Float(progress.loss ?? .nan)) }
            return true
        }
    }
}

/// Expects losses to fall by a third from the first 20 steps to the last 20.
func expectFall(_ losses: [Float], sourceLocation: SourceLocation = #_sourceLocation) {
    let first: Float = losses.prefix(20).reduce(0, +)
    let last: Float = losses.suffix(20).reduce(0, +)
    #expect(last < first * 2 / 3, sourceLocation: sourceLocation)
}

/// The columns of the classes without clips.
func ofNewClasses(_ logits: Matrix, _ change: (Float) -> Float = { $0 }) -> [Float] {
    logits.columns(7..<11).values.map(change)
}

/// A layer of a fixture.
func layer(_ expected: TensorFixture, weight: String, bias: String) throws -> HeadLayer {
    let shape = try expected.shape(weight)
    return HeadLayer(
        weight: MutableMatrix(rows: shape[0], columns: shape[1], try expected.floats(weight)), bias: try expected.floats(bias))
}

func expectLayers(
    _ layers: [(weight: [Float], bias: [Float])], _ expected: TensorFixture, weights: [String], biases: [String],
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    #expect(layers.count == weights.count, sourceLocation: sourceLocation)
    for (layer, names) in zip(layers, zip(weights, biases)) {
        expectClose(layer.weight, try expected.floats(names.0), tolerance: headTolerance, names.0, sourceLocation: sourceLocation)
        expectClose(layer.bias, try expected.floats(names.1), tolerance: headTolerance, names.1, sourceLocation: sourceLocation)
    }
}

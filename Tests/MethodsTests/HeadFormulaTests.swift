import Foundation
import Methods
import Tensors
import TestSupport
import Testing

/// What other programs are told of a head gives its own scores, computed here in plain loops of Double.
@Suite struct HeadFormulaTests {
    private typealias Rows = [[Double]]

    private static func rows(_ matrix: Matrix) -> Rows { (0..<matrix.rowCount).map { matrix.row($0).values.map(Double.init) } }

    private static func dot(_ first: [Double], _ second: [Double]) -> Double { zip(first, second).reduce(0) { $0 + $1.0 * $1.1 } }

    private static func unit(_ row: [Double]) -> [Double] {
        let length = dot(row, row).squareRoot()
        return row.map { $0 / length }
    }

    private static func scores(_ formula: HeadFormula, of feature: [Double]) -> [Double] {
        switch formula {
        case .linear(let weight, let bias):
            return zip(rows(weight), bias).map { dot(unit(feature), $0) + Double($1) }
        case .kernel(let texts, let scale, let keys, let sharpness, let values):
            let direction = unit(feature)
            let votes = rows(keys).map { exp(-Double(sharpness) * (1 - dot(direction, $0))) }
            return rows(texts).enumerated().map { label, text in
                Double(scale) * dot(direction, text) + dot(votes, rows(values).map { $0[label] })
            }
        case .adapter(let first, let second, let ratio, let texts, let scale):
            let hidden = rows(first).map { max(0, dot($0, feature)) }
            let changed = rows(second).map { max(0, dot($0, hidden)) }
            let blend = zip(changed, feature).map { Double(ratio) * $0 + (1 - Double(ratio)) * $1 }
            return rows(texts).map { Double(scale) * dot(unit(blend), $0) }
        case .mapped(let mean, let deviation, let map, let texts, let scale):
            let direction = unit(feature)
            let standard = direction.indices.map { (direction[$0] - Double(mean[$0])) / Double(deviation[$0]) }
            let map = rows(map)
            let mapped = unit(map[0].indices.map { column in dot(standard, map.map { $0[column] }) })
            return rows(texts).map { Double(scale) * dot(mapped, $0) }
        }
    }

    @Test(arguments: HeadKind.allCases)
    func scoresAsTheHeadDoes(kind: HeadKind) throws {
        let fixture = try HeadFixture()
        let head = try kind.fit(
            try fixture.examples(shots: 2), settingsText: try HeadFixture.shortSettings(kind), context: HeadFixture.context)
        let formula = try #require(head.formula)
        let test = try fixture.test
        let features = head.projection.map(test.projected(through:)) ?? test.projected
        expectClose(
            Self.rows(features).flatMap { Self.scores(formula, of: $0).map(Float.init) }, try head.logits(of: test).values, tolerance: 1e-4,
            "\(kind.rawValue)")
    }
}

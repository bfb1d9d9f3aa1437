import Foundation

/// How well clusters are classes (Rosenberg and Hirschberg 2007, β = 1; paper table 11, `methods.md` 8.7).
package struct ClusterAgreement: Sendable, Codable, Equatable {
    /// 1 − H(class | cluster) / H(class): each cluster holds one class only.
    package let homogeneity: Double
    /// 1 − H(cluster | class) / H(cluster): each class lies in one cluster only.
    package let completeness: Double
    /// Harmonic mean of both.
    package let vMeasure: Double

    private enum CodingKeys: String, CodingKey {
        case homogeneity, completeness
        case vMeasure = "v_measure"
    }

    /// - Precondition: as many classes as clusters are given.
    package init(classes: [Int], clusters: [Int]) {
        precondition(classes.count == clusters.count, "a class and a cluster for each point")
        let pairs = zip(classes, clusters).map { [$0, $1] }
        // H(a | b) = H(a, b) − H(b)
        let (ofClasses, ofClusters, ofPairs) = (Self.entropy(classes), Self.entropy(clusters), Self.entropy(pairs))
        // One class cannot be mixed, one cluster cannot tear a class apart.
        homogeneity = ofClasses == 0 ? 1 : min(1, max(0, 1 - (ofPairs - ofClusters) / ofClasses))
        completeness = ofClusters == 0 ? 1 : min(1, max(0, 1 - (ofPairs - ofClasses) / ofClusters))
        let sum = homogeneity + completeness
        vMeasure = sum == 0 ? 0 : 2 * homogeneity * completeness / sum
    }

    /// In nats.
    private static func entropy(_ values: [some Hashable]) -> Double {
        let counts = Dictionary(values.map { ($0, 1) }, uniquingKeysWith: +).values.sorted()
        let total = Double(values.count)
        return counts.count < 2 ? 0 : counts.reduce(0.0) { $0 - Double($1) / total * log(Double($1) / total) }
    }
}

import Foundation
import Methods
import Tensors
import Testing

/// Seconds that each head takes on 51 classes × 16 clips × 10 views: `VIFI_HEAD_SPEED=1`, or the head's name.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["VIFI_HEAD_SPEED"] != nil), .serialized)
struct HeadSpeed {
    @Test(arguments: HeadKind.allCases)
    func seconds(kind: HeadKind) throws {
        let wanted = ProcessInfo.processInfo.environment["VIFI_HEAD_SPEED"] ?? ""
        guard wanted == "1" || wanted == kind.rawValue else { return }
        let (classes, shots, views, inner, width) = (51, 16, 10, 768, 512)
        var random = RandomSource(seed: 1, purpose: .test)
        func normal(_ count: Int, scale: Float = 1) -> [Float] { (0..<count).map { _ in scale * random.normal() } }
        let centers = MutableMatrix(rows: classes, columns: inner, normal(classes * inner))
        let projection = MutableMatrix(rows: inner, columns: width, normal(inner * width, scale: 1 / Float(inner).squareRoot()))
        let texts = MutableMatrix(rows: classes, columns: width)
        multiply(centers, .asStored, projection, .asStored, into: texts)
        var (values, labels, clips): ([Float], [Int], [Int]) = ([], [], [])
        for clip in 0..<classes * shots {
            let own = normal(inner, scale: 2)
            for _ in 0..<views {
                values += zip(zip(centers.row(clip / shots).values, own), normal(inner)).map { $0.0 + $0.1 + $1 }
                labels.append(clip / shots)
                clips.append(clip)
            }
        }
        let unprojected = MutableMatrix(rows: labels.count, columns: inner, values)
        let projected = MutableMatrix(rows: labels.count, columns: width)
        multiply(unprojected, .asStored, projection, .asStored, into: projected)
        let examples = try HeadExamples(
            features: HeadFeatures(projected: projected, unprojected: unprojected), labels: labels, clips: clips, texts: texts,
            projection: projection)
        let context = HeadContext(pool: WorkerPool())
        let clock = ContinuousClock()
        var head: (any Head)?
        let learning = try clock.measure { head = try kind.fit(examples, context: context) }
        let scoring = try clock.measure { _ = try head?.logits(of: examples.features) }
        var line = "\(kind.rawValue): learned in \(learning), scored \(examples.count) rows in \(scoring)"
        if kind.hasExactLeaveOneOut {
            line += ", left out in \(try clock.measure { _ = try kind.leaveOneOutLogits(examples, context: context) })"
        }
        print(line)
    }
}

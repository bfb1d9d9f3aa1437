import Charts
import Files
import VideoData

/// Classes from the most to the least frequent, base and novel halves told apart.
package func frequencyChart(counts: [Int], classes: ClassNames, title: String) -> Chart {
    let halves = BaseNovelSplit(clipCounts: counts)
    let base = Set(halves.base.members)
    // As the halves are made: of equally frequent classes the later one comes first.
    let order = counts.indices.sorted { (counts[$0], $0) > (counts[$1], $1) }
    let isHalved = counts.count >= 2
    let baseValues = order.map { !isHalved || base.contains($0) ? Double(counts[$0]) : nil }
    let novelValues = order.map { isHalved && !base.contains($0) ? Double(counts[$0]) : nil }
    let series = [Bars.Series(isHalved ? "base: \(counted(base.count, "more frequent class", "more frequent classes"))" : "", baseValues)]
        + (isHalved ? [Bars.Series("novel: \(counted(halves.novel.members.count, "less frequent class", "less frequent classes"))", novelValues)] : [])
    let most = order.first.map { "\(classes[$0]) with \(counts[$0])" } ?? ""
    let least = order.last.map { "\(classes[$0]) with \(counts[$0])" } ?? ""
    return Chart(
        title: title, summary: "\(counts.count) classes by number of videos, from \(most) to \(least).",
        horizontal: Axis("class"), vertical: Axis("videos", isWhole: true),
        content: .bars(Bars(labels: order.map { classes[$0] }, series: series)))
}

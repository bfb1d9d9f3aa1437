import Files
import Foundation
import Tensors

/// Where each rank runs.
package struct RankPlaces: Equatable, Sendable {
    /// One rank's machine, as it sees it.
    package struct Place: Codable, Equatable, Sendable {
        package var host: String
        /// Processors that it may use: "0-15".
        package var allowed: String
        /// Cores that these are hardware threads of.
        package var cores: Int
        /// Processors of the machine.
        package var online: Int
        package var processor: String
        /// Processors' worth of time that control groups allow; nil for no limit.
        package var quota: Double?

        /// - Parameter cores: nil where each processor is one.
        package init(host: String, allowed: String, cores: Int? = nil, online: Int, processor: String, quota: Double? = nil) {
            self.cores = cores ?? ProcessorTopology.numbers(allowed).count
            self.quota = quota
            self.host = host
            self.allowed = allowed
            self.online = online
            self.processor = processor
        }

        package static var here: Place {
            Place(
                host: Machine.hostName, allowed: Machine.allowedProcessors,
                cores: ProcessorTopology().coreCount(of: ProcessorTopology.numbers(Machine.allowedProcessors)), online: ProcessInfo.processInfo.processorCount,
                processor: Machine.processorName, quota: Machine.limits.processors)
        }
    }

    package let places: [Place]

    package init(_ places: [Place]) { self.places = places }

    /// Threads for a rank's model: the cores of the processors that it may use, shared with the ranks beside it that may use
    /// them too.
    package func threadCount(of rank: Int) -> Int {
        let own = ProcessorTopology.numbers(places[rank].allowed)
        let sharing = places.count { $0.host == places[rank].host && !ProcessorTopology.numbers($0.allowed).isDisjoint(with: own) }
        let usable = own.isEmpty
            ? WorkerPool.availableProcessors : WorkerPool.processors(allowed: places[rank].cores, quota: places[rank].quota)
        return max(1, usable / max(1, sharing))
    }

    /// Whether sums may come out otherwise on some ranks.
    package var hasSeveralProcessors: Bool { Set(places.map(\.processor)).count > 1 }

    /// A line a host.
    package func table(threads: [Int]) -> String {
        var lines = ["\(places.count) ranks on \(hosts.count == 1 ? "1 host" : "\(hosts.count) hosts"):"]
        for host in hosts {
            let ranks = ranks(on: host)
            let allowed = Self.unique(ranks.map { places[$0].allowed })
            let counts = Self.unique(ranks.map { "\(threads[$0])" })
            lines.append(
                "  \(host.escapedForDisplay): rank\(ranks.count == 1 ? "" : "s") \(Self.text(of: ranks)), \(counts.joined(separator: " and ")) "
                    + "thread\(counts == ["1"] ? "" : "s") each, processors \(allowed.joined(separator: " and ")) of \(places[ranks[0]].online)")
        }
        return lines.joined(separator: "\n")
    }

    /// Hosts of which the ranks may use less than half: a launcher's default that people do not expect.
    package var narrowHosts: [String] {
        hosts.filter { host in
            let ranks = ranks(on: host)
            let used = ranks.reduce(into: Set<Int>()) { $0.formUnion(ProcessorTopology.numbers(places[$1].allowed)) }
            return !used.isEmpty && 2 * used.count < places[ranks[0]].online
        }
    }

    private var hosts: [String] { Self.unique(places.map(\.host)) }
    private func ranks(on host: String) -> [Int] { places.indices.filter { places[$0].host == host } }

    private static func unique(_ words: [String]) -> [String] {
        var seen: Set<String> = []
        return words.filter { seen.insert($0).inserted }
    }

    /// "0-3, 8"
    private static func text(of numbers: [Int]) -> String {
        var parts: [(first: Int, last: Int)] = []
        for number in numbers {
            if let last = parts.last?.last, number == last + 1 { parts[parts.count - 1].last = number } else { parts.append((number, number)) }
        }
        return parts.map { $0.first == $0.last ? "\($0.first)" : "\($0.first)-\($0.last)" }.joined(separator: ", ")
    }
}

import Foundation
import Tensors
import TestSupport
import Testing

/// Cores of machines that are described in a folder.
@Suite struct ProcessorTopologyTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func topology(_ siblings: [Int: String]) throws -> ProcessorTopology {
        let root = directory.path("root")
        try? FileManager.default.removeItem(atPath: root)
        for (processor, list) in siblings {
            let folder = "\(root)/sys/devices/system/cpu/cpu\(processor)/topology"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try (list + "\n").write(toFile: folder + "/thread_siblings_list", atomically: true, encoding: .utf8)
        }
        return ProcessorTopology(root: root)
    }

    /// Both ways in which machines number the second threads of their cores.
    @Test func hardwareThreadsOfACoreCountOnce() throws {
        let apart = try topology([0: "0,4", 1: "1,5", 2: "2,6", 3: "3,7", 4: "0,4", 5: "1,5", 6: "2,6", 7: "3,7"])
        #expect(apart.coreCount(of: 0..<8) == 4)
        #expect(apart.coreCount(of: [0, 4]) == 1)
        #expect(apart.coreCount(of: [4, 5, 6]) == 3)
        #expect(apart.coreCount(of: [Int]()) == 0)
        let beside = try topology([0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"])
        #expect(beside.coreCount(of: 0..<4) == 2)
        #expect(beside.coreCount(of: [1, 2]) == 2)
    }

    /// Containers may hide the folder: then processors are all that is known.
    @Test func unknownProcessorsAreCores() throws {
        #expect(try topology([:]).coreCount(of: 0..<6) == 6)
        #expect(try topology([0: "0,1", 1: "nonsense"]).coreCount(of: [0, 1, 2]) == 2)
        #expect(try topology([8: ""]).coreCount(of: [8, 9]) == 2)
    }

    /// A quota is in time, not in cores, and goes on top.
    @Test func quotasStayAsTheyAre() throws {
        let cores = try topology([0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"]).coreCount(of: 0..<4)
        #expect(WorkerPool.processors(allowed: cores, quota: 3) == 2)
        #expect(WorkerPool.processors(allowed: cores, quota: 1) == 1)
        #expect(WorkerPool.processors(allowed: cores, quota: nil) == 2)
    }
}

import Foundation
import Tensors
import TestSupport
import Testing

/// Control groups as machines lay them, in folders made by hand after the kernel's documents.
@Suite struct ControlGroupTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func groups(_ files: [String: String]) throws -> ControlGroups {
        let root = directory.path("root")
        try? FileManager.default.removeItem(atPath: root)
        for (name, text) in files {
            let path = root + "/" + name
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try (text + "\n").write(toFile: path, atomically: true, encoding: .utf8)
        }
        return ControlGroups(root: root)
    }

    private static let second = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"

    @Test func nothing() throws {
        #expect(try groups([:]) == (try groups(["proc/self/cgroup": "0::/", "proc/self/mountinfo": Self.second])))
        #expect(try groups([:]).memory == nil && groups([:]).processors == nil && groups([:]).memoryLeft == nil)
        #expect(try groups([
            "proc/self/cgroup": "0::/a", "proc/self/mountinfo": Self.second, "sys/fs/cgroup/a/memory.max": "max",
            "sys/fs/cgroup/a/cpu.max": "max 100000",
        ]) == groups([:]))
    }

    /// Slurm: the job's limit stands above the step's and the task's, which have none.
    @Test func nestedOfTheSecondVersion() throws {
        let job = "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7"
        let found = try groups([
            "proc/self/cgroup": "0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0", "proc/self/mountinfo": Self.second,
            job + "/memory.max": "4000000000", job + "/memory.current": "1500000000",
            job + "/memory.stat": "anon 1\ninactive_file 500000000\nactive_file 9", job + "/cpu.max": "400000 100000",
            job + "/step_0/memory.max": "max", job + "/step_0/cpu.max": "max 100000", job + "/step_0/memory.high": "3500000000",
            job + "/step_0/memory.current": "100",
            job + "/step_0/user/task_0/cpu.max": "250000 100000",
        ])
        #expect(found.memory == 3_500_000_000 && found.processors == 2.5)
        // 4 GB less 1 GB that is not cache; the step's own 3.5 GB are nearly all there.
        #expect(found.memoryLeft == 3_000_000_000)
    }

    /// A container whose group is the root of what it sees, and one that sees the host's path.
    @Test func containers() throws {
        let files = ["sys/fs/cgroup/memory.max": "2147483648", "sys/fs/cgroup/cpu.max": "150000 100000"]
        for (path, mount) in [
            ("/", Self.second),
            ("/docker/abc", "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw"),
            ("/../../other", "30 23 0:26 /../.. /sys/fs/cgroup ro - cgroup2 cgroup rw"),
        ] {
            var all = files
            all["proc/self/cgroup"] = "0::\(path)"
            all["proc/self/mountinfo"] = mount
            let found = try groups(all)
            #expect(found.memory == 2_147_483_648 && found.processors == 1.5, "\(path)")
        }
    }

    /// Each controller in a mount of its own, cpu together with cpuacct; PBS and Slurm nest below.
    @Test func firstVersion() throws {
        let mounts = """
            31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
            35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
            40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
            """
        let found = try groups([
            "proc/self/cgroup": "9:memory:/slurm/uid_1/job_2/step_0\n4:cpu,cpuacct:/slurm/uid_1/job_2\n1:name=systemd:/x",
            "proc/self/mountinfo": mounts,
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            "sys/fs/cgroup/memory/slurm/uid_1/job_2/memory.limit_in_bytes": "1000000000",
            "sys/fs/cgroup/memory/slurm/uid_1/job_2/memory.usage_in_bytes": "400000000",
            "sys/fs/cgroup/memory/slurm/uid_1/job_2/step_0/memory.limit_in_bytes": "9223372036854771712",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/cpu,cpuacct/slurm/uid_1/job_2/cpu.cfs_quota_us": "300000",
            "sys/fs/cgroup/cpu,cpuacct/slurm/uid_1/job_2/cpu.cfs_period_us": "100000",
        ])
        #expect(found.memory == 1_000_000_000 && found.memoryLeft == 600_000_000 && found.processors == 3)
        // Docker shows the group's own files at the top of each mount, and names the host's path.
        let inside = try groups([
            "proc/self/cgroup": "9:memory:/docker/f00\n4:cpu,cpuacct:/docker/f00",
            "proc/self/mountinfo": "32 31 0:29 /docker/f00 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n"
                + "35 31 0:32 /docker/f00 /sys/fs/cgroup/mem\\040ory ro - cgroup cgroup rw,memory",
            "sys/fs/cgroup/mem ory/memory.limit_in_bytes": "500000000", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        ])
        #expect(inside.memory == 500_000_000 && inside.processors == 0.5)
    }

    /// Both versions at once: the second without controllers, as systemd's hybrid layout has it.
    @Test func hybrid() throws {
        let found = try groups([
            "proc/self/cgroup": "5:memory:/job\n0::/job", "proc/self/mountinfo":
                "30 23 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
            "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "700000000", "sys/fs/cgroup/unified/job/cgroup.procs": "1",
        ])
        #expect(found.memory == 700_000_000 && found.processors == nil)
    }

    /// What makes no sense limits nothing.
    @Test(arguments: ["", "-1", "x", "99999999999999999999", "0 0", "1e999 1"])
    func oddNumbers(_ text: String) throws {
        let found = try groups([
            "proc/self/cgroup": "0::/\nx\n:::", "proc/self/mountinfo": Self.second + "\nshort - cgroup2\n - ",
            "sys/fs/cgroup/cpu.max": text, "sys/fs/cgroup/memory.max": text == "0 0" ? "max" : text,
        ])
        #expect(found.processors == nil && found.memory == nil)
    }

    @Test func processorsFollowTheQuota() {
        #expect(WorkerPool.processors(allowed: 8, quota: nil) == 8)
        #expect(WorkerPool.processors(allowed: 8, quota: 2) == 2)
        #expect(WorkerPool.processors(allowed: 8, quota: 2.5) == 3)
        #expect(WorkerPool.processors(allowed: 8, quota: 0.2) == 1)
        #expect(WorkerPool.processors(allowed: 2, quota: 64) == 2)
    }
}

import ArgumentParser
import CLIPModel
import Experiments
import Files
import Foundation
import Recipes
import Tensors
import Training
import VideoData

/// Says what is missing or odd on this machine.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says what is missing or odd on this machine, and what to do about it.",
        discussion: """
            Ends with status 0 if the program can work here, warnings included; with 69 if something that it needs \
            is missing.
            """)

    @Flag(help: jsonHelp)
    var json = false

    func run() throws {
        let findings = Doctor.findings()
        let canRun = !findings.contains { $0.verdict == .missing }
        if json {
            struct Report: Encodable {
                let canRun: Bool
                let findings: [Doctor.Finding]
            }
            try Console.json(Report(canRun: canRun, findings: findings))
        } else {
            let width = findings.map(\.subject.count).max() ?? 0
            for finding in findings {
                let gap = String(repeating: " ", count: width - finding.subject.count + 2)
                let verdict = finding.verdict.rawValue + String(repeating: " ", count: 9 - finding.verdict.rawValue.count)
                Console.result(verdict + finding.subject + gap + finding.found)
                if let remedy = finding.remedy { Console.result(String(repeating: " ", count: 9 + width + 2) + remedy) }
            }
        }
        guard canRun else { throw ExitCode(Files.ExitStatus.unavailable.rawValue) }
    }
}

/// The examination.
enum Doctor {
    enum Verdict: String, Encodable {
        case ok, warn, missing
    }

    struct Finding: Encodable {
        let subject: String
        let verdict: Verdict
        let found: String
        /// What to do, where something is not right.
        let remedy: String?

        init(_ subject: String, _ verdict: Verdict, _ found: String, remedy: String? = nil) {
            self.subject = subject
            self.verdict = verdict
            self.found = found
            self.remedy = remedy
        }
    }

    static func findings() -> [Finding] {
        processor + blas + videos + ranks + broker + memory + checkpoints + folders + environment
    }

    // MARK: Processor and libraries

    private static var processor: [Finding] {
        let features = Machine.processorFeatures
        let known = ["avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve"].filter(features.contains)
        let isSlow = features.contains("sse2") && !(features.contains("avx2") && features.contains("fma"))
        let allowed = WorkerPool.availableProcessors
        let online = ProcessInfo.processInfo.processorCount
        var cores = "\(allowed) of \(online) processors may be used"
        let limit = Machine.limits.processors
        if let limit { cores += ", limited to the time of \(NumberText.decimal(limit, places: 1)) by a control group" }
        let isOvercommitted = limit.map { $0 < Double(allowed) - 0.5 } ?? false
        return [
            Finding(
                "processor", isSlow ? .warn : .ok,
                "\(Machine.processorName), \(known.isEmpty ? "no vector instructions known" : known.joined(separator: " "))",
                remedy: isSlow ? "Without AVX2 everything takes several times as long. Use a newer machine for large backbones." : nil),
            Finding(
                "cores", isOvercommitted ? .warn : .ok, cores,
                remedy: isOvercommitted ? "Pass --threads \(max(1, Int(limit ?? 1))): more threads than that wait for each other." : nil),
        ]
    }

    private static var blas: [Finding] {
        let threading = switch BLASLibrary.threading {
        case .none: "no threads of its own"
        case .pthreads: "pthread build"
        case .openMP: "OpenMP build"
        case .unknown: "build unknown"
        }
        // The first product settles the number of threads.
        let one = MutableMatrix(rows: 1, columns: 1)
        multiply(one, .asStored, one, .asStored, into: MutableMatrix(rows: 1, columns: 1))
        let version = BLASLibrary.configuration.split(separator: " ").prefix(2).joined(separator: " ")
        let core = BLASLibrary.coreName
        let features = Machine.processorFeatures
        let isGeneric = features.contains("avx2") && ["Prescott", "Core2", "Penryn", "Nehalem", "generic"].contains(core)
        return [
            Finding(
                "OpenBLAS", BLASLibrary.threading == .openMP || isGeneric ? .warn : .ok,
                "\(version), kernels for \(core), \(threading), \(BLASLibrary.threadCount) thread a product",
                remedy: BLASLibrary.threading == .openMP
                    ? "The OpenMP build may start threads of its own and be slower: apt-get install libopenblas0-pthread"
                    : isGeneric ? "Slow kernels are in use although the processor has AVX2: unset OPENBLAS_CORETYPE, or install a newer libopenblas." : nil)
        ]
    }

    private static var videos: [Finding] {
        let absent = MediaLibrary.decoders.filter { !$0.isPresent }.map(\.name)
        let present = MediaLibrary.decoders.filter(\.isPresent).map(\.name).joined(separator: " ")
        let lacksAll = present.isEmpty
        return [
            Finding(
                "FFmpeg", lacksAll ? .missing : absent.isEmpty ? .ok : .warn,
                "libavcodec \(MediaLibrary.codecVersion), libavformat \(MediaLibrary.formatVersion), zimg \(MediaLibrary.zimgVersion); decodes \(lacksAll ? "nothing" : present)"
                    + (absent.isEmpty ? "" : ", not \(absent.joined(separator: " "))"),
                remedy: absent.isEmpty ? nil : "Videos in \(absent.joined(separator: ", ")) cannot be read: apt-get install libavcodec-extra")
        ]
    }

    /// Several processes, maybe on several machines.
    private static var ranks: [Finding] {
        guard MPIGroup.isBuilt else {
            return [Finding("MPI", .ok, "not in this build: learn and bridge run in one process", remedy: "For several machines install libopenmpi-dev and build with --traits MPI; see docs/cluster.md.")]
        }
        let variables = ProcessInfo.processInfo.environment
        let launchers = ["mpirun", "srun"].filter { name in
            (variables["PATH"] ?? "").split(separator: ":").contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
        }
        return [
            Finding(
                "MPI", launchers.isEmpty ? .warn : .ok,
                MPIGroup.version + (launchers.isEmpty ? ", and nothing to start ranks with" : "; ranks are started by \(launchers.joined(separator: " or "))"),
                remedy: launchers.isEmpty ? "Several ranks need mpirun: apt-get install openmpi-bin. One process does without." : nil)
        ]
    }

    /// Where answers of live sources may go.
    private static var broker: [Finding] {
        guard let version = MQTTConnection.libraryVersion else {
            return [Finding("MQTT", .ok, "not in this build: predict has no --mqtt", remedy: "For it install libmosquitto-dev and build with --traits MQTT; see docs/predict.md.")]
        }
        return [Finding("MQTT", .ok, "libmosquitto \(version)")]
    }

    private static var memory: [Finding] {
        let limit = Machine.limits.memory
        let usable = Machine.availableMemory
        let text = "\(bytes(Machine.availableMemory)) of \(bytes(Machine.totalMemory)) available"
            + (limit.map { ", limited to \(bytes($0)) by a control group" } ?? "")
        return [
            Finding(
                "memory", usable < 1 << 30 ? .warn : .ok, text,
                remedy: usable < 1 << 30 ? "The pocket world needs 0.5 GiB, ViT-B/16 about 4. `vifi-prompt plan` tells what a run needs." : nil)
        ]
    }

    // MARK: Files

    private static var checkpoints: [Finding] {
        var result: [Finding] = []
        for name in [PocketHome.imageBackboneName, "pocket-bridged.safetensors"] {
            result.append(bundled("Checkpoints/\(name)", subject: name) { path in
                let backbone = try Backbone.load(path)
                return "\(path): \(backbone.parameterCount) parameters, sound"
            })
        }
        result.append(bundled("Recipes", subject: "recipes") { "\($0): \(try RecipeCatalog.all().count) recipes" })
        do {
            let path = try BundledFiles.path(of: "Checkpoints/vocabulary/bpe_simple_vocab_16e6.txt.gz")
            do {
                let size = try BPETokenizer(vocabularyPath: path).vocabularySize
                result.append(Finding("vocabulary", .ok, "\(path): \(size) tokens, sound"))
            } catch {
                result.append(Finding("vocabulary", .warn, words(error), remedy: "Remove it and run `make vocabulary`."))
            }
        } catch {
            result.append(
                Finding(
                    "vocabulary", .warn, "CLIP's vocabulary is not here",
                    remedy: "Real CLIP weights need it: `make vocabulary`, or pass --vocabulary FILE. The pocket world does without."))
        }
        return result
    }

    private static func bundled(_ name: String, subject: String, _ look: (String) throws -> String) -> Finding {
        do {
            return Finding(subject, .ok, try look(BundledFiles.path(of: name)))
        } catch {
            return Finding(
                subject, .warn, words(error),
                remedy: "The pocket world and the named recipes need it. Your own --backbone and --recipe files do not.")
        }
    }

    private static var folders: [Finding] {
        [
            writable("runs", BackboneFinder.runsFolder, flag: "--output", least: 1 << 30),
            writable("cache", PocketHome.dataRoot, flag: "VIFI_PROMPT_DATA", least: 200 << 20),
        ]
    }

    /// Whether a file can be made in the folder, or in the nearest one that is there already.
    private static func writable(_ subject: String, _ path: String, flag: String, least: Int) -> Finding {
        var folder = path
        while !fileExists(folder), folder != folder.parentDirectory { folder = folder.parentDirectory }
        let probe = folder.appendingPath(".vifi-prompt-doctor-\(ProcessInfo.processInfo.processIdentifier)")
        do throws(FileError) {
            // The file goes when it is dropped: nothing stays behind.
            _ = try DurableFile(path: probe)
        } catch {
            return Finding(subject, .missing, words(FileError(path: folder, problem: error.problem)), remedy: "Choose another folder by \(flag), or change its permissions.")
        }
        let free = freeByteCount(near: probe)
        return Finding(
            subject, free < least ? .warn : .ok, "\(path): writable, \(bytes(free)) free",
            remedy: free < least ? "Free some space or choose another folder by \(flag)." : nil)
    }

    // MARK: Environment

    private static var environment: [Finding] {
        let variables = ProcessInfo.processInfo.environment
        var result: [Finding] = []
        for name in ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_CORETYPE"] {
            guard let value = variables[name] else { continue }
            let isOdd = name == "OPENBLAS_CORETYPE"
            result.append(
                Finding(
                    name, isOdd ? .warn : .ok, value.escapedForDisplay + (isOdd ? "" : " (not used: the program has its own threads, see --threads)"),
                    remedy: isOdd ? "It fixes OpenBLAS's kernels: unset it unless you mean to." : nil))
        }
        for name in variables.keys.sorted() where name.hasPrefix("VIFI_PROMPT_") {
            result.append(Finding(name, .ok, secretVariables.contains(name) ? "set, and not shown" : (variables[name] ?? "").escapedForDisplay))
        }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { variables[$0] }.first { !$0.isEmpty } ?? ""
        let isUnicode = locale.uppercased().contains("UTF-8") || locale.uppercased().contains("UTF8")
        result.append(
            Finding(
                "locale", isUnicode ? .ok : .warn, locale.isEmpty ? "not set" : locale.escapedForDisplay,
                remedy: isUnicode ? nil : "Messages are UTF-8; signs such as × may look wrong. Set LANG=C.UTF-8."))
        let isTerminal = isatty(StandardStream.error.rawValue) == 1
        result.append(
            Finding("terminal", .ok, isTerminal ? "\((variables["TERM"] ?? "unknown").escapedForDisplay): progress is a bar" : "none: progress is a line now and then"))
        return result
    }

    private static func words(_ error: any Error) -> String {
        (error as? any ReportableError)?.description ?? "\(error)"
    }
}

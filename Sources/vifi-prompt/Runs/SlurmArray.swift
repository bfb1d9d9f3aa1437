import ArgumentParser
import Experiments
import Files
import Foundation
import Recipes
import Tensors
import Training

/// Something that `plan` writes instead of the plan.
enum PlanOutput: String, ExpressibleByArgument, CaseIterable {
    case slurmArray = "slurm-array"
}

/// A flag that takes several values, each in runs of its own: `shots=2,4,8`.
struct Variation: Equatable {
    let flag: String
    let values: [String]

    /// - Throws: `ValidationError` where it is no such thing.
    init(argument: String) throws {
        let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
        let flag = parts.first.map { $0.hasPrefix("--") ? String($0.dropFirst(2)) : $0 } ?? ""
        guard !flag.isEmpty, parts.count == 2 else { throw ValidationError("Write a flag and its values, such as shots=2,4,8.") }
        let values = try CommaList<VariedMember>(argument: parts[1]).values
        guard !["seed", "seeds", "output", "threads", "resume"].contains(flag) else {
            throw ValidationError("--vary \(flag): \(flag == "seed" || flag == "seeds" ? "seeds come from --seeds 1,2,3" : "this is the script's own affair").")
        }
        self.flag = flag
        self.values = values
    }
}

/// Independent runs as a job array of Slurm: every seed with every value of every varied flag.
struct SlurmArray {
    struct Element: Equatable {
        /// Below the array's folder: "shots-2/seed1".
        let name: String
        let arguments: [String]
    }

    let kind: RunKind
    let program: String
    let workingDirectory: String
    /// Of all runs, without what varies.
    let arguments: [String]
    let variations: [Variation]
    let seeds: [Int]
    let folder: String
    let threads: Int
    /// Of the largest run, with room.
    let memoryBytes: Int
    /// Of the longest run on this machine; nil where it was not measured.
    let seconds: Double?

    /// Most elements that Slurm takes unless it is told otherwise (MaxArraySize).
    private static let usualLimit = 1001

    var combinations: [[(flag: String, value: String)]] { Self.combinations(of: variations) }

    static func combinations(of variations: [Variation]) -> [[(flag: String, value: String)]] {
        variations.reduce([[]]) { rows, variation in
            rows.flatMap { row in variation.values.map { row + [(variation.flag, $0)] } }
        }
    }

    /// Seeds change fastest: those of one setting are neighbors.
    var elements: [Element] {
        combinations.flatMap { row in
            seeds.map { seed in
                Element(
                    name: (row.isEmpty ? "" : row.map { Self.word("\($0.flag)-\($0.value)") }.joined(separator: "-") + "/") + "seed\(seed)",
                    arguments: Self.flags(row) + ["--seed", "\(seed)"])
            }
        }
    }

    static func flags(_ row: [(flag: String, value: String)]) -> [String] { row.flatMap { ["--\($0.flag)", $0.value] } }

    /// A word that is safe in a path.
    private static func word(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.properties.isAlphabetic || ("0"..."9").contains($0) || ".-_".unicodeScalars.contains($0) ? Character($0) : "_" })
    }

    var script: String {
        let elements = elements
        let last = elements.count - 1
        let time = seconds.map { "#SBATCH --time=\(Self.time(2 * $0 + 600))\n" } ?? ""
        let cases = elements.enumerated().map { index, element in
            "\(index)) name=\(shellCommand([element.name])); set -- \(shellCommand(element.arguments)) ;;"
        }.joined(separator: "\n")
        let setting = variations.map { "\($0.flag) \($0.values.joined(separator: ", "))" }.joined(separator: " × ")
        return """
            #!/bin/bash
            # \(elements.count) independent runs of vifi-prompt \(kind.rawValue): seeds \(seeds.map(String.init).joined(separator: ", "))\(setting.isEmpty ? "" : " × " + setting).
            #
            #     mkdir -p \(shellCommand([folder])) && sbatch THIS-FILE
            #     vifi-prompt summarize \(shellCommand([folder]))     # when they have ended
            #
            # Without Slurm: SLURM_ARRAY_TASK_ID=0 bash THIS-FILE runs the first of them here.
            #
            #SBATCH --job-name=vifi-\(kind.rawValue)
            #SBATCH --array=0-\(last)
            #SBATCH --nodes=1
            #SBATCH --ntasks=1
            #SBATCH --cpus-per-task=\(threads)
            #SBATCH --mem=\(Self.mebibytes(memoryBytes))M
            \(time)#SBATCH --signal=B:USR1@180
            #SBATCH --requeue
            #SBATCH --open-mode=append
            #SBATCH --output=\(folder)/slurm-%A_%a.log
            # Memory: what `vifi-prompt plan` counts for the largest run, and a quarter more.
            # Time: \(seconds == nil ? "not measured, so the partition's default holds; add --time." : "twice what the longest run would take on the machine that planned it, and ten minutes.")
            set -euo pipefail
            cd \(shellCommand([workingDirectory]))

            program=\(shellCommand([program]))
            folder=\(shellCommand([folder]))
            case "${SLURM_ARRAY_TASK_ID:?start this with sbatch, or set SLURM_ARRAY_TASK_ID to 0-\(last)}" in
            \(cases)
            *) echo "there is no element $SLURM_ARRAY_TASK_ID, only 0-\(last)" >&2; exit 64 ;;
            esac
            output="$folder/$name"

            # An element that is started again goes on where it was stopped.
            if [ -f "$output/run.json" ]; then
                set -- --resume "$output"
            else
                set -- \(shellCommand(arguments))\(arguments.isEmpty ? "" : " ")"$@" --output "$output"
            fi

            # Slurm sends SIGUSR1 three minutes before the time is up: the run saves and ends with status 75.
            stopping=0
            child=
            stop() { stopping=1; if [ -n "$child" ]; then kill -USR1 "$child" 2>/dev/null || true; fi; }
            trap stop USR1 TERM INT

            "$program" \(kind.rawValue) "$@" --threads "${SLURM_CPUS_PER_TASK:-\(threads)}" &
            child=$!
            status=0
            wait "$child" || status=$?
            # A signal ends the waiting, not the run.
            while [ "$stopping" -eq 1 ] && [ "$status" -gt 128 ]; do
                stopping=0
                status=0
                wait "$child" || status=$?
            done
            if [ "$status" -eq 75 ] && [ -n "${SLURM_ARRAY_JOB_ID:-}" ]; then
                scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
            fi
            exit "$status"
            """
    }

    /// What to know before submitting it.
    var warnings: [String] {
        elements.count > Self.usualLimit
            ? ["\(elements.count) elements: Slurm takes at most \(Self.usualLimit) unless its MaxArraySize says otherwise. Vary less in one array."] : []
    }

    /// With a quarter more than is counted, in steps of 256 MiB.
    static func mebibytes(_ bytes: Int) -> Int { ((bytes / 4 * 5) >> 28 + 1) * 256 }

    /// "1-02:30:00"
    static func time(_ seconds: Double) -> String {
        let minutes = Int((seconds / 60).rounded(.up))
        func two(_ number: Int) -> String { (number < 10 ? "0" : "") + "\(number)" }
        let days = minutes / 1440
        return (days > 0 ? "\(days)-" : "") + "\(two(minutes / 60 % 24)):\(two(minutes % 60)):00"
    }
}

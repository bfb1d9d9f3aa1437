import Files
import Recipes
import Training

/// A finished run, as `--json` tells of it.
package struct RunReport: Encodable {
    package let kind: RunKind
    package let folder: String
    /// What the run chose: prompts, a head or a backbone.
    package let file: String
    package let result: RunResult

    package init(_ kind: RunKind, folder: String, result: RunResult) {
        self.kind = kind
        self.folder = folder
        self.result = result
        file = kind.chosenFile(in: folder)
    }
}

/// The finished runs of a group of seeds.
package struct SeedReport: Encodable {
    package let kind: RunKind
    package let folder: String
    package let summary: SeedSummary
}

/// The finished cells of a grid.
package struct AblationReport: Encodable {
    package let folder: String
    package let summary: AblationSummary
}

/// What `learn` and `bridge` come to.
package enum LearningReport: Encodable {
    case run(RunReport)
    case seeds(SeedReport)

    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .run(let report): try report.encode(to: encoder)
        case .seeds(let report): try report.encode(to: encoder)
        }
    }
}

extension RunKind {
    /// What is used of a finished run from then on: of the epoch that was best on the validation list, else of the last.
    package func chosenFile(in folder: String) -> String {
        let head = folder.appendingPath(HeadFile.name)
        return switch self {
        case .learn: isRegularFile(head) ? head : folder.appendingPath("prompts/best.safetensors")
        case .bridge: folder.appendingPath("backbone.safetensors")
        }
    }
}

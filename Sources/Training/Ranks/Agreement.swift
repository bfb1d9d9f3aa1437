import Files
import Foundation
import Tensors

extension ProcessGroupError: ReportableError {
    package var exitStatus: ExitStatus {
        switch self {
        case .broken: .inputOutput
        case .cannotStart, .notBuilt, .alone: .unavailable
        }
    }
}

/// What ended one rank's work and so the work of all: every rank throws it, rank 0 tells it.
package struct AgreedFailure: ReportableError {
    package let exitStatus: ExitStatus
    package let description: String

    package init(exitStatus: ExitStatus, description: String) {
        self.exitStatus = exitStatus
        self.description = description
    }

    /// What all ranks have found out together.
    package init(_ error: any ReportableError) { self.init(exitStatus: error.exitStatus, description: error.description) }
}

extension ProcessGroup {
    /// Runs `body`; where it fails on some ranks, all throw what the first of them met.
    ///
    /// Nothing in `body` may wait for other ranks.
    package func agreed<Result>(_ body: () throws -> Result) throws -> Result {
        guard count > 1 else { return try body() }
        var result: Result?
        var failure: FailureReport?
        do { result = try body() } catch { failure = FailureReport(error, rank: rank) }
        let failures = try gathered(value: failure)
        if let first = failures.compactMap(\.self).first { throw first.failure }
        guard let result else { preconditionFailure("a rank without result has failed") }
        return result
    }

    /// What each rank says, on all ranks, in the order of the ranks.
    package func gathered<Value: Codable>(value: Value) throws -> [Value] {
        guard count > 1 else { return [value] }
        let decoder = JSONDecoder()
        return try gathered(Array(JSONEncoder().encode([value]))).map { try decoder.decode([Value].self, from: Data($0))[0] }
    }

    /// What rank 0 says, on all ranks.
    package func told<Value: Codable>(value: @autoclosure () throws -> Value) throws -> Value {
        guard count > 1 else { return try value() }
        let mine = rank == 0 ? Array(try JSONEncoder().encode([value()])) : []
        return try JSONDecoder().decode([Value].self, from: Data(told(mine)))[0]
    }

    /// Whether any rank says so.
    package func any(_ flag: Bool) throws -> Bool { try count > 1 ? gathered([flag ? 1 : 0]).contains([1]) : flag }
}

/// An error as ranks tell each other.
struct FailureReport: Codable {
    let status: Int32
    let description: String
    let rank: Int
    let host: String

    init(_ error: any Error, rank: Int) {
        status = ((error as? any ReportableError)?.exitStatus ?? .software).rawValue
        description = (error as? any ReportableError)?.description ?? "\(error)"
        self.rank = rank
        host = Machine.hostName
    }

    var failure: AgreedFailure {
        AgreedFailure(
            exitStatus: ExitStatus(rawValue: status) ?? .software,
            description: rank == 0 ? description : "\(description) (rank \(rank) on \(host.escapedForDisplay))")
    }
}

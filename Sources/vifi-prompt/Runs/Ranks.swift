import CLIPModel
import Files
import Foundation
import Recipes
import Synchronization
import Tensors
import Training

/// What a launcher says about the processes that it has started together.
struct RankLaunch: Equatable {
    /// At least 1.
    let processCount: Int
    let rank: Int
    /// Where that is written.
    let variable: String

    /// - Parameter variables: the environment.
    /// - Returns: nil where nobody says anything.
    init?(_ variables: [String: String]) {
        // Most telling first: inside an allocation of Slurm, mpirun may start fewer processes than Slurm has tasks.
        let known = [
            ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"), ("PMI_SIZE", "PMI_RANK"), ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
            ("SLURM_NTASKS", "SLURM_PROCID"),
        ]
        for (count, rank) in known {
            guard let text = variables[count], let number = Int(text), number >= 1 else { continue }
            processCount = number
            self.rank = variables[rank].flatMap { Int($0) } ?? 0
            variable = "\(count)=\(number)"
            return
        }
        return nil
    }
}

/// The processes of this run: one, unless a launcher has started several.
enum Ranks {
    private static let launch = RankLaunch(ProcessInfo.processInfo.environment)
    private static let joining: Result<any ProcessGroup, ProcessGroupError> = join(launch)
    private static let isJoined = Atomic<Bool>(false)

    /// Ranks but the first say nothing, from the start on.
    static func quieten(_ arguments: [String]) {
        guard let launch, launch.processCount > 1, launch.rank > 0, arguments.count > 1,
            [RunKind.learn.rawValue, RunKind.bridge.rawValue].contains(arguments[1])
        else { return }
        Console.isQuiet.store(true, ordering: .relaxed)
    }

    /// Joins the other processes, if there are any.
    ///
    /// - Throws: `ProcessGroupError` where there are and they cannot be joined.
    @discardableResult
    static func join() throws(ProcessGroupError) -> any ProcessGroup {
        isJoined.store(true, ordering: .relaxed)
        return try joining.get()
    }

    /// The processes that were joined; before that, this one alone.
    static var group: any ProcessGroup {
        guard isJoined.load(ordering: .relaxed), case .success(let group) = joining else { return SingleProcess() }
        return group
    }

    private static func join(_ launch: RankLaunch?) -> Result<any ProcessGroup, ProcessGroupError> {
        guard let launch, launch.processCount > 1 else { return .success(SingleProcess()) }
        guard MPIGroup.isBuilt else { return .failure(.notBuilt(expected: launch.processCount, variable: launch.variable)) }
        // Before MPI starts threads of its own, which would take signals too.
        Interruption.useOwnThread()
        do throws(ProcessGroupError) {
            let group = try MPIGroup()
            guard group.count > 1 else {
                return .failure(.alone(expected: launch.processCount, variable: launch.variable, version: MPIGroup.version))
            }
            Console.isQuiet.store(group.rank > 0, ordering: .relaxed)
            return .success(group)
        } catch {
            return .failure(error)
        }
    }

    /// Where they run; the first call asks them all.
    static let places: Result<RankPlaces, any Error> = Result {
        group.count == 1 ? RankPlaces([.here]) : RankPlaces(try group.gathered(value: RankPlaces.Place.here))
    }

    /// Threads of this process's model, unless somebody says otherwise.
    static var threadCount: Int {
        guard group.count > 1, let places = try? places.get() else { return WorkerPool.availableProcessors }
        return places.threadCount(of: group.rank)
    }

    // MARK: The end

    /// After the command's end.
    static func leave() { (group as? MPIGroup)?.finish() }

    /// Ends this process, and the others with it, once saying why.
    static func end(_ error: any ReportableError) -> Never {
        let status = error.exitStatus.rawValue
        guard let group = group as? MPIGroup else {
            Console.error(error.description)
            exit(status)
        }
        // All ranks end in the same way.
        if error is AgreedFailure || error.exitStatus == .interrupted {
            Console.error(error.description)
            group.finish()
            exit(status)
        }
        if group.rank > 0 {
            // Rank 0 may be about to say the same, and then ends this process.
            sleep(2)
            Console.isQuiet.store(false, ordering: .relaxed)
            Console.error("\(error.description) (rank \(group.rank) on \(Machine.hostName.escapedForDisplay))")
        } else {
            Console.error(error.description)
        }
        group.abort(status: status)
    }
}

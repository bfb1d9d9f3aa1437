import Files
import Foundation
import Tensors

/// Processes of one kind, as many as are asked of at once and the machine allows.
///
/// Sendable because all that changes is touched under the monitor.
package final class WorkerProcesses: @unchecked Sendable {
    private let monitor = Monitor()
    private var idle: [WorkerProcess] = []
    private var busyCount = 0
    /// No more than these could be started; nil as far as is known.
    private var limit: Int?
    private let program: String?
    private let arguments: [String]

    /// - Parameter program: this one where nil.
    package init(program: String?, arguments: [String]) {
        self.program = program
        self.arguments = arguments
    }

    /// One that is idle, a new one, or, where the machine allows no more, the next that somebody gives back.
    ///
    /// - Throws: what is lacking for the first one.
    package func take() throws(MachineShortage) -> WorkerProcess {
        monitor.lock()
        defer { monitor.unlock() }
        while true {
            if let worker = idle.popLast() {
                busyCount += 1
                return worker
            }
            if busyCount < limit ?? .max {
                do throws(MachineShortage) {
                    if busyCount > 0, !Self.hasSpareDescriptors { throw .openFiles(limit: MachineShortage.openFileLimit) }
                    let worker = try WorkerProcess(program: program, arguments: arguments)
                    busyCount += 1
                    return worker
                } catch {
                    guard busyCount > 0 else { throw error }
                    limit = busyCount
                }
            }
            monitor.wait()
        }
    }

    package func giveBack(_ worker: WorkerProcess) {
        monitor.locked {
            busyCount -= 1
            idle.append(worker)
            monitor.wakeAll()
        }
    }

    /// A worker that was taken is used no more.
    package func dropTaken() {
        monitor.locked {
            busyCount -= 1
            monitor.wakeAll()
        }
    }

    /// Ends those that are idle.
    package func endIdle() {
        let ended = monitor.locked {
            defer { idle = [] }
            return idle
        }
        _ = ended
    }

    /// Whether files can be opened beside the pipes of one more worker.
    private static var hasSpareDescriptors: Bool {
        var copies: [Int32] = []
        defer { for copy in copies { close(copy) } }
        for _ in 0..<8 {
            let copy = dup(STDERR_FILENO)
            // A standard error that is closed says nothing of the others.
            guard copy >= 0 else { return errno != EMFILE && errno != ENFILE }
            copies.append(copy)
        }
        return true
    }
}

import COpenMPI
import Glibc

/// The processes that `mpirun` or `srun` has started together, joined by MPI.
package final class MPIGroup: ProcessGroup {
    package let rank: Int
    package let count: Int

    /// Whether the program was built with MPI.
    package static var isBuilt: Bool { vifi_mpi_is_built() != 0 }

    /// "Open MPI v4.1.4"; "" where the program was built without.
    package static var version: String { unsafe String(cString: vifi_mpi_version()) }

    /// Joins the others; once in a process.
    package init() throws(ProcessGroupError) {
        var rank: Int32 = 0
        var count: Int32 = 1
        let code = unsafe vifi_mpi_start(&rank, &count)
        guard code == 0 else { throw .cannotStart(reason: Self.words(code)) }
        self.rank = Int(rank)
        self.count = Int(count)
    }

    /// Leaves the others, who must leave too.
    package func finish() { _ = vifi_mpi_finish() }

    /// Ends all ranks.
    package func abort(status: Int32) -> Never { vifi_mpi_abort(status) }

    package func send(_ bytes: UnsafeRawBufferPointer, to receiver: Int) throws(ProcessGroupError) {
        try check(unsafe vifi_mpi_send(bytes.baseAddress, bytes.count, Int32(receiver)), "send")
    }

    package func receive(into bytes: UnsafeMutableRawBufferPointer, from sender: Int) throws(ProcessGroupError) {
        try check(unsafe vifi_mpi_receive(bytes.baseAddress, bytes.count, Int32(sender)), "receive")
    }

    package func exchange(
        _ outgoing: UnsafeRawBufferPointer, to receiver: Int, into incoming: UnsafeMutableRawBufferPointer, from sender: Int
    ) throws(ProcessGroupError) {
        try check(
            unsafe vifi_mpi_exchange(
                outgoing.baseAddress, outgoing.count, Int32(receiver), incoming.baseAddress, incoming.count, Int32(sender)),
            "exchange gradients")
    }

    package func broadcast(_ bytes: UnsafeMutableRawBufferPointer) throws(ProcessGroupError) {
        try check(unsafe vifi_mpi_broadcast(bytes.baseAddress, bytes.count, 0), "broadcast")
    }

    package func barrier() throws(ProcessGroupError) { try check(vifi_mpi_barrier(), "wait for each other") }

    private func check(_ code: Int32, _ operation: String) throws(ProcessGroupError) {
        guard code == 0 else { throw .broken(operation: operation, reason: Self.words(code)) }
    }

    private static func words(_ code: Int32) -> String { unsafe String(cString: vifi_mpi_error_text(code)) }
}

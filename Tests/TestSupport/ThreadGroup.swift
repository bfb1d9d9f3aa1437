import Tensors

/// Ranks as threads of this process: carries bytes as MPI does between processes.
package final class ThreadGroup: ProcessGroup {
    package let rank: Int
    package let count: Int
    private let mail: Mail

    /// Unchecked Sendable: guarded by the monitor.
    private final class Mail: @unchecked Sendable {
        private let monitor = Monitor()
        private var waiting: [[Int]: [[UInt8]]] = [:]
        private var ended: Set<Int> = []

        func send(_ bytes: [UInt8], from sender: Int, to receiver: Int) {
            monitor.locked {
                waiting[[sender, receiver], default: []].append(bytes)
                monitor.wakeAll()
            }
        }

        func receive(from sender: Int, to receiver: Int) -> [UInt8]? {
            monitor.locked {
                while !ended.contains(sender), waiting[[sender, receiver], default: []].isEmpty { monitor.wait() }
                return waiting[[sender, receiver], default: []].isEmpty ? nil : waiting[[sender, receiver]]?.removeFirst()
            }
        }

        /// A rank has gone: nobody must wait for more of it.
        func end(_ rank: Int) {
            monitor.locked {
                ended.insert(rank)
                monitor.wakeAll()
            }
        }
    }

    private init(rank: Int, count: Int, mail: Mail) {
        self.rank = rank
        self.count = count
        self.mail = mail
    }

    /// Runs `body` on `count` ranks at the same time.
    ///
    /// - Returns: what each came to, in the order of the ranks.
    package static func run<Value: Sendable>(
        _ count: Int, _ body: @escaping @Sendable (any ProcessGroup) throws -> Value
    ) -> [Result<Value, any Error>] {
        let mail = Mail()
        let results = Results<Value>()
        for rank in 0..<count {
            startThread {
                let result = Result { try body(ThreadGroup(rank: rank, count: count, mail: mail)) }
                mail.end(rank)
                results.note(result, rank: rank)
            }
        }
        return results.all(count)
    }

    private final class Results<Value: Sendable>: @unchecked Sendable {
        private let monitor = Monitor()
        private var results: [Int: Result<Value, any Error>] = [:]

        func note(_ result: Result<Value, any Error>, rank: Int) {
            monitor.locked {
                results[rank] = result
                monitor.wakeAll()
            }
        }

        func all(_ count: Int) -> [Result<Value, any Error>] {
            monitor.locked {
                while results.count < count { monitor.wait() }
                return results.sorted { $0.key < $1.key }.map(\.value)
            }
        }
    }

    package func send(_ bytes: UnsafeRawBufferPointer, to receiver: Int) { mail.send(Array(bytes), from: rank, to: receiver) }

    package func receive(into bytes: UnsafeMutableRawBufferPointer, from sender: Int) throws(ProcessGroupError) {
        guard let message = mail.receive(from: sender, to: rank) else { throw .broken(operation: "receive", reason: "a rank has ended") }
        precondition(message.count == bytes.count, "a message of \(message.count) bytes for \(bytes.count)")
        bytes.copyBytes(from: message)
    }

    package func exchange(
        _ outgoing: UnsafeRawBufferPointer, to receiver: Int, into incoming: UnsafeMutableRawBufferPointer, from sender: Int
    ) throws(ProcessGroupError) {
        send(outgoing, to: receiver)
        try receive(into: incoming, from: sender)
    }

    package func broadcast(_ bytes: UnsafeMutableRawBufferPointer) throws(ProcessGroupError) {
        if rank > 0 { return try receive(into: bytes, from: 0) }
        for other in 1..<count { send(UnsafeRawBufferPointer(bytes), to: other) }
    }

    package func barrier() throws(ProcessGroupError) { _ = try gathered([]) }
}

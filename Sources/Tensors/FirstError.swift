/// The first error of several threads, by the order of their items.
///
/// Unchecked Sendable: guarded by the monitor.
package final class FirstError: @unchecked Sendable {
    private let monitor = Monitor()
    private var first: (item: Int, error: any Error)?

    package init() {}

    package var isNoted: Bool { monitor.locked { first != nil } }

    package func note(_ error: any Error, item: Int) {
        monitor.locked {
            if first.map({ item < $0.item }) ?? true { first = (item, error) }
        }
    }

    /// - Throws: the error that was noted.
    package func check() throws {
        if let first = monitor.locked({ first }) { throw first.error }
    }
}

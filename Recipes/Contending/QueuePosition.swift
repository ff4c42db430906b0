import ConclaveClient
import ConclaveCore
import Synchronization

/// Where one stands in a queue, at the time of the last look.
public struct QueuePosition: Hashable, Sendable {
    /// How many there are that must go first.
    public let ahead: Int
    /// How many hold or wait in all, oneself included.
    public let total: Int
}

/// Tells changes of the position to whoever asked for them.
final class PositionReport: Sendable {
    private let listener: @Sendable (QueuePosition) -> Void
    private let last = Mutex<QueuePosition?>(nil)
    /// How often a waiter looks, who is woken only when the one directly before it goes.
    let interval: Duration

    init(every interval: Duration = .seconds(1), _ tell: @escaping @Sendable (QueuePosition) -> Void) {
        self.interval = interval
        listener = tell
    }

    func tell(_ position: QueuePosition) {
        let isNew = last.withLock { last in
            defer { last = position }
            return last != position
        }
        if isNew { listener(position) }
    }
}

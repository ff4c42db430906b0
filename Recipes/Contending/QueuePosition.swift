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
    private let tell: @Sendable (QueuePosition) -> Void
    private let last = Mutex<QueuePosition?>(nil)
    /// How often a waiter looks, who is woken only when the one directly before it goes.
    let interval: Duration

    init(every interval: Duration = .seconds(1), _ tell: @escaping @Sendable (QueuePosition) -> Void) {
        self.interval = interval
        self.tell = tell
    }

    /// Takes a listing of the children.
    func look(at names: [String], from own: ContenderName, isShared: Bool) {
        guard let place = QueuePlace(of: own, isShared: isShared, among: names) else { return }
        let position = QueuePosition(ahead: place.ahead, total: names.count { ContenderName($0) != nil })
        let isNew = last.withLock { last in
            defer { last = position }
            return last != position
        }
        if isNew { tell(position) }
    }
}

import ConclaveClient
import ConclaveCore

/// The one-shot watches that a machine's reads have armed and that have not been heard yet.
///
/// Waiting costs the same however many are armed: a watch that fires leaves its number in the inbox.
struct ArmedWatches: Sendable {
    enum Kind: Hashable, Sendable {
        case data
        case existence
        case children
    }

    private struct Key: Hashable {
        let kind: Kind
        let path: String
    }

    private var armed: [Key: (number: UInt64, watch: Watch)] = [:]
    private var keys: [UInt64: Key] = [:]
    private var lastNumber: UInt64 = 0
    private let inbox = WatchInbox()

    /// Keeps a watch in the place of an earlier one of the same kind at the same path.
    mutating func arm(_ watch: Watch, _ kind: Kind) {
        let key = Key(kind: kind, path: watch.path)
        lastNumber += 1
        if let earlier = armed.updateValue((lastNumber, watch), forKey: key) { keys[earlier.number] = nil }
        keys[lastNumber] = key
        watch.whenSettled { [inbox, number = lastNumber] in inbox.put(number) }
    }

    /// Hands over a watch to somebody who waits for it elsewhere.
    mutating func take(_ path: String, _ kind: Kind) -> Watch? {
        guard let (number, watch) = armed.removeValue(forKey: Key(kind: kind, path: path)) else { return nil }
        keys[number] = nil
        return watch
    }

    /// Waits until one fires, or the time is over; a watch that is heard is armed no more.
    mutating func wait(upTo limit: Duration?) async throws(ZooKeeperError) -> StepEvent {
        let deadline = limit.map { ContinuousClock.now.advanced(by: $0) }
        while true {
            guard let number = try await inbox.next(by: deadline) else { return .elapsed }
            // Without a key it has been replaced since.
            guard let key = keys.removeValue(forKey: number), let (_, watch) = armed.removeValue(forKey: key) else {
                continue
            }
            _ = try await watch.fired()
            return .changed(key.path)
        }
    }
}

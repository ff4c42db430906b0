import ConclaveClient
import Synchronization

/// Lets an owner, which is a client, work on a path once at a time, whoever asks for it.
///
/// ZooKeeper deletes by name: who looks whose a node is and then deletes it must not be overtaken by somebody who deletes it
/// too, behind whom a third may have made another of that name. Other clients are other owners, so only the own one can.
final class PathTurns: Sendable {
    static let shared = PathTurns()

    private struct Key: Hashable {
        let owner: ObjectIdentifier
        let path: String
    }

    /// Those who wait, for each path that somebody works on.
    private let waiting = Mutex<[Key: [CheckedContinuation<Void, Never>]]>([:])

    /// Runs the work when nobody else works on the path. Waiting does not heed cancellation; it ends with the session at the
    /// latest, because work that is an owner's requests does.
    func run(
        at path: String, of owner: AnyObject, _ work: () async throws(ZooKeeperError) -> Void
    ) async throws(ZooKeeperError) {
        let key = Key(owner: ObjectIdentifier(owner), path: path)
        await withCheckedContinuation { (turn: CheckedContinuation<Void, Never>) in
            let isFree = waiting.withLock { waiting in
                guard waiting[key] != nil else {
                    waiting[key] = []
                    return true
                }
                waiting[key]?.append(turn)
                return false
            }
            if isFree { turn.resume() }
        }
        defer { pass(key) }
        try await work()
    }

    private func pass(_ key: Key) {
        waiting.withLock { waiting -> CheckedContinuation<Void, Never>? in
            guard var rest = waiting[key], !rest.isEmpty else {
                waiting[key] = nil
                return nil
            }
            let next = rest.removeFirst()
            waiting[key] = rest
            return next
        }?.resume()
    }
}

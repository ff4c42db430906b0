import ConclaveClient
import Synchronization

/// The holds of this process, so that loss is told before the next grant of the same client (S9).
///
/// The notification that a node is gone and the listing that shows the next holder first travel to different tasks;
/// without the registry the second could be handed out while the first has not yet been told. Entries leave when a hold
/// ends.
final class HoldRegistry: Sendable {
    private struct Place: Hashable {
        let client: ObjectIdentifier
        let path: String
    }

    static let shared = HoldRegistry()

    private let holds = Mutex<[Place: [Hold]]>([:])

    /// Enters a hold that is about to be granted. Whatever it excludes must have gone in the store: that is told now.
    func insert(_ hold: Hold) {
        let client = ObjectIdentifier(hold.client)
        let overtaken = holds.withLock { holds in
            var overtaken: [Hold] = []
            for node in hold.nodes {
                let place = Place(client: client, path: node.parent)
                overtaken += holds[place, default: []].filter { old in
                    old !== hold && !old.nodes.contains { $0.parent == node.parent && $0.isShared && node.isShared }
                }
                holds[place, default: []].append(hold)
            }
            return overtaken
        }
        for old in overtaken { old.lose(.nodeRemoved) }
    }

    /// Takes an ended hold out.
    func remove(_ hold: Hold) {
        let client = ObjectIdentifier(hold.client)
        holds.withLock { holds in
            for node in hold.nodes {
                let place = Place(client: client, path: node.parent)
                holds[place]?.removeAll { $0 === hold }
                if holds[place]?.isEmpty == true { holds[place] = nil }
            }
        }
    }
}

/// What the scopes around the current task hold.
///
/// Inherited by child tasks, and by `Task { }` too; only `Task.detached` starts without.
enum TaskHolds {
    @TaskLocal static var current: [Hold] = []

    /// The names of the nodes held below this path.
    static func names(under path: String) -> Set<String> {
        Set(paths(under: path).map { String($0.dropFirst(path == "/" ? 1 : path.count + 1)) })
    }

    /// The paths of the nodes held below this path.
    static func paths(under path: String) -> Set<String> {
        Set(current.lazy.filter(\.isLive).flatMap(\.nodes).filter { $0.parent == path }.map(\.path))
    }
}

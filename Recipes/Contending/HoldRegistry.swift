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
        holds.withLock { holds in
            for node in hold.nodes { holds[place(of: node, hold), default: []].append(hold) }
        }
        tellOvertaken(by: hold)
    }

    /// Tells those that this hold excludes that they are lost.
    func tellOvertaken(by hold: Hold) {
        let overtaken = holds.withLock { holds in
            hold.nodes.flatMap { node in
                holds[place(of: node, hold), default: []].filter { old in
                    old !== hold
                        && !(hold.shares(node) && old.nodes.contains { $0.parent == node.parent && old.shares($0) })
                }
            }
        }
        for old in overtaken { old.lose(.nodeRemoved) }
    }

    private func place(of node: HeldNode, _ hold: Hold) -> Place {
        Place(client: ObjectIdentifier(hold.client), path: node.parent)
    }

    /// Takes an ended hold out.
    func remove(_ hold: Hold) {
        holds.withLock { holds in
            for node in hold.nodes {
                let place = place(of: node, hold)
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

    /// What the scopes around the task hold exclusively, of this client at this path.
    static func exclusive(under path: String, of client: ZooKeeperClient) -> Hold? {
        current.last {
            $0.isLive && $0.client === client && $0.parent == path && $0.nodes.count == 1 && !$0.isShared
        }
    }
}

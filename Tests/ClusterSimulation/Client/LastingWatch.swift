import ConclaveCore
import ConclaveSession

/// A persistent or recursive watch, and what its client heard of it.
///
/// What happens while the client is between two servers is not told afterwards. So hearing is judged by spells: from
/// the answer that says that a server has the watch to the loss of the connection to that server.
package struct LastingWatch: Sendable {
    package struct Heard: Sendable {
        var event: WatchEvent
        var moment: UInt64
    }

    package struct Spell: Sendable {
        /// The state behind which every change is told.
        var armedAt: Zxid
        var armedMoment: UInt64
        var heard: [Heard] = []
        var endedMoment: UInt64?
    }

    let path: String
    let isRecursive: Bool
    let session: SessionID
    var spells: [Spell] = []

    /// A recursive watch hears of nodes at its path and below, a persistent one of its node and that node's children.
    func wants(_ event: WatchEvent) -> Bool {
        guard event.path != path else { return !isRecursive || event.kind != .childrenChanged }
        return isRecursive && event.kind != .childrenChanged && event.path.hasPrefix(path + "/")
    }
}

/// A lasting watch that is being asked for.
struct Arming: Sendable {
    var path: String
    var isRecursive: Bool
    var watcher: WatcherID
    /// Once it has been sent.
    var cxid: Int32?
}

/// A lasting watch of the present session.
struct LivingWatch: Sendable {
    /// Its place in the journal.
    let index: Int
    /// A server has it, and tells from now on.
    var isArmed: Bool
    /// Events on their way that were sent before the server had it again: what other watches missed.
    var early = 0
}

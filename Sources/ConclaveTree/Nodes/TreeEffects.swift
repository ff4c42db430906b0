import ConclaveCore

/// What applying transactions has brought about, in order: what watchers and the session tracker must hear.
///
/// A buffer to be used again and again; ``removeAll()`` keeps its memory.
package struct TreeEffects: Sendable {
    package enum Effect: Equatable, Sendable {
        /// The lists are those after the create; `nil` means open to the world.
        case created(NodePath, acl: [ACL]?, parentACL: [ACL]?)
        /// The lists are those before the delete.
        case deleted(NodePath, acl: [ACL]?, parentACL: [ACL]?)
        case dataChanged(NodePath, acl: [ACL]?)
        case sessionCreated(SessionID, timeoutMilliseconds: Int32)
        case sessionClosed(SessionID)
    }

    /// A transaction after which the tree's digest was not what the leader had foreseen.
    package struct DigestMismatch: Equatable, Sendable {
        package let zxid: Zxid
        package let expected: Int64
        package let found: Int64
    }

    package internal(set) var effects: [Effect] = []
    /// The latest mismatch since ``removeAll()``.
    package internal(set) var digestMismatch: DigestMismatch?
    /// For each part of a multi, the stat of the node that it made or changed, as it was directly afterwards.
    package internal(set) var partStats: [Stat?] = []
    /// Whether to collect them: only those who answer clients from transactions need them.
    package var recordsPartStats = false
    /// Without it ``effects`` stays empty, as befits a replay.
    package var isRecording: Bool

    package init(isRecording: Bool = true) { self.isRecording = isRecording }

    package var isEmpty: Bool { effects.isEmpty && digestMismatch == nil }

    package mutating func removeAll() {
        effects.removeAll(keepingCapacity: true)
        digestMismatch = nil
        partStats.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    mutating func record(_ effect: @autoclosure () -> Effect) {
        if isRecording { effects.append(effect()) }
    }
}

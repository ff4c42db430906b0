import ConclaveCore

/// Events with the connections that must get them: a buffer to be used again and again.
package struct WatchNotifications: Sendable {
    /// One event for one or more connections.
    package struct Event: Equatable, Sendable {
        package let kind: WatchEvent.Kind
        package let path: NodePath
        /// Who may see it: those with READ by this list (CVE-2024-23944); `nil` means everybody.
        package let acl: [ACL]?
        /// Which of ``WatchNotifications/watchers`` get it, in ascending order.
        package let receivers: Range<Int>
    }

    package internal(set) var events: [Event] = []
    package internal(set) var watchers: [UInt64] = []

    package init() {}

    package var isEmpty: Bool { events.isEmpty }

    /// Keeps the memory.
    package mutating func removeAll() {
        events.removeAll(keepingCapacity: true)
        watchers.removeAll(keepingCapacity: true)
    }

    /// Ends an event whose receivers have been appended since `start`; without any there is none.
    mutating func close(_ kind: WatchEvent.Kind, _ path: NodePath, _ acl: [ACL]?, from start: Int) {
        guard watchers.count > start else { return }
        if watchers.count - start > 1 {
            watchers[start...].sort()
            // A connection may watch the node and, recursively, several of those above it.
            var kept = start + 1
            for index in (start + 1)..<watchers.count where watchers[index] != watchers[kept - 1] {
                watchers[kept] = watchers[index]
                kept += 1
            }
            watchers.removeLast(watchers.count - kept)
        }
        events.append(Event(kind: kind, path: path, acl: acl, receivers: start..<watchers.count))
    }
}

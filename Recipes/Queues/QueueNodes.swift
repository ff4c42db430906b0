import ConclaveCore

/// The nodes of a queue.
///
/// ```
/// jobs                     persistent: numbering must not start anew
/// ├─ qn-0000000041         an item; its version counts how often it was handed to a consumer
/// └─ qn-0000000042
/// jobs-state               what takes part in the queue and is no item: other libraries take every child for one
/// ├─ claims
/// │  └─ qn-0000000041      ephemeral: the item is with a consumer, whose id and identity are the data
/// ├─ marks
/// │  └─ 1f0e…              ephemeral: the last put or take of a client, so that it knows what a lost answer said
/// ├─ takers                the line of those who wait for an item, as a lock's
/// └─ putters               the line of those who wait for room, as a lock's
/// jobs-dead                a queue of the same form: what was handed out too often or could not be read
/// ```
package struct QueueNodes: Hashable, Sendable {
    /// The parent of the items.
    package let items: String

    package init(items: String) { self.items = items }

    package var state: String { items + "-state" }
    package var claims: String { state + "/claims" }
    package var marks: String { state + "/marks" }
    package var takers: String { state + "/takers" }
    package var putters: String { state + "/putters" }
    package var dead: String { items + "-dead" }

    package func item(_ name: QueueItemName) -> String { NodePath.text(of: name.text, below: items) }

    package func claim(_ name: QueueItemName) -> String { NodePath.text(of: name.text, below: claims) }
}

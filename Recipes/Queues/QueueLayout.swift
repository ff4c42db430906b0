import ConclaveCore

/// How the nodes of a queue are named and how items lie in them when they are put; whatever the layout, items of all
/// three are taken.
public enum QueueLayout: Hashable, Sendable, CaseIterable {
    /// `qn-<n>`, the item as it is: the layout of the queue that comes with Apache ZooKeeper.
    case zooKeeper
    /// `queue-<n>`, the item in Curator's envelope: the layout of Curator's `DistributedQueue`, `DistributedPriorityQueue`
    /// and `DistributedDelayQueue`.
    case curator
    /// `entry-<priority>-<n>`, the item as it is: the layout of kazoo's `Queue`. Priorities from 0 to 999; 100 in queues
    /// without priorities.
    case kazoo

    /// What stands before the number that the server appends; `nil` if the layout cannot express the place.
    package func prefix(for place: ItemPlace) -> String? {
        switch (self, place) {
        case (.zooKeeper, .atTheEnd): "qn-"
        case (.curator, .atTheEnd): "queue-"
        case (.kazoo, .atTheEnd): "entry-100-"
        case (.curator, .priority(let priority)):
            "queue-" + (priority < 0 ? "0" : "1") + Self.hex(UInt64(UInt32(bitPattern: priority)))
        case (.kazoo, .priority(let priority)):
            (0...999).contains(priority) ? "entry-" + Self.padded(String(priority), to: 3) + "-" : nil
        case (.curator, .due(let milliseconds)):
            milliseconds < 0 ? nil : "queue-|" + Self.hex(UInt64(milliseconds)) + "|"
        case (.zooKeeper, .priority), (.zooKeeper, .due), (.kazoo, .due): nil
        }
    }

    /// An item as a node's data.
    package func data(for item: [UInt8]) -> [UInt8] {
        switch self {
        case .zooKeeper, .kazoo: item
        case .curator: CuratorEnvelope.seal([item])
        }
    }

    /// Java's `%08X`: upper case, at least eight digits.
    private static func hex(_ value: UInt64) -> String { padded(String(value, radix: 16, uppercase: true), to: 8) }

    private static func padded(_ digits: String, to width: Int) -> String {
        String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

/// Where an item goes.
package enum ItemPlace: Hashable, Sendable {
    case atTheEnd
    /// Lower ones first.
    case priority(Int32)
    /// Not before this moment, in milliseconds since 1970.
    case due(milliseconds: Int64)
}

/// What decides who is first.
package enum QueueOrdering: Hashable, Sendable {
    /// The number alone.
    case arrival
    /// The priority, then the number.
    case priority
    /// The moment from which an item may be taken, then the number.
    case due
}

import ConclaveClient
import ConclaveCore

/// What an attempt at a semaphore wants, and the names of the nodes that it deals with.
package struct SemaphorePlan: Hashable, Sendable {
    /// Where it is written how many leases may be out.
    package enum Limit: Hashable, Sendable {
        /// In every client's program: all must say the same.
        case fixed(Int)
        /// In a node of four bytes, which is made with this value if it is missing.
        case shared(String, initially: Int32)
    }

    package let path: String
    package let limit: Limit
    /// How many leases the attempt wants, all or none.
    package let permits: Int
    package let identity: [UInt8]
    package let acl: [ACL]

    package init(path: String, limit: Limit, permits: Int = 1, identity: [UInt8] = [], acl: [ACL] = .open) {
        self.path = path
        self.limit = limit
        self.permits = permits
        self.identity = identity
        self.acl = acl
    }

    package var locks: String { NodePath.text(of: "locks", below: path) }
    package var leases: String { NodePath.text(of: "leases", below: path) }

    /// The node in the queue, without its number.
    package func queueNode(of attempt: AttemptID) -> String { locks + "/_c_\(attempt.text)-lock-" }

    /// The leases of an attempt whose node in the queue has this number.
    package func leaseNodes(of attempt: AttemptID, number: Int32) -> [String] {
        let digits = String(number)
        let padded = String(repeating: "0", count: max(0, 10 - digits.utf8.count)) + digits
        return (0..<permits).map { place in
            leases + "/_c_\(attempt.text)-\(place == 0 ? "" : "\(place + 1)-")lease-\(padded)"
        }
    }

    /// The queue, the leases and, if it is a node, the limit.
    package var looks: [ReadOperation] {
        switch limit {
        case .fixed: [.children(locks), .children(leases)]
        case .shared(let path, _): [.children(locks), .children(leases), .data(path)]
        }
    }
}

/// The four bytes of a limit: a big-endian number, as Curator's `SharedCount` writes it.
package enum SharedLimit {
    package static func encode(_ value: Int32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }

    /// The number; `nil` for anything but four bytes.
    package static func decode(_ bytes: [UInt8]) -> Int32? {
        guard bytes.count == 4 else { return nil }
        return bytes.reduce(0) { $0 << 8 | Int32($1) }
    }
}

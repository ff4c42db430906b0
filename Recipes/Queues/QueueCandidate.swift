import ConclaveCore

/// An item that has been read and not been taken yet: somebody else may be faster.
package struct QueueCandidate: Hashable, Sendable {
    package let name: QueueItemName
    package let data: [UInt8]
    /// The node's version: how often the item was handed to a consumer, as every claim writes it.
    package let version: Int32

    package init(name: QueueItemName, data: [UInt8], version: Int32) {
        self.name = name
        self.data = data
        self.version = version
    }
}

/// The node in which a client notes its last put or take, in the same transaction.
///
/// One is used by one machine at a time: what it says after a lost answer is then about that machine's transaction.
package struct QueueMark: Hashable, Sendable {
    package let path: String
    package var exists: Bool

    package init(path: String, exists: Bool = false) {
        self.path = path
        self.exists = exists
    }

    /// Notes an attempt.
    package func write(_ attempt: AttemptID, acl: [ACL]) -> Operation {
        let data = Array(attempt.text.utf8)
        return exists
            ? .setData(path, data, version: nil) : .create(path, data, mode: .ephemeral, acl: acl)
    }

    /// Whether the mark's data says that this attempt was the last.
    package static func notes(_ attempt: AttemptID, _ data: [UInt8]) -> Bool { data.elementsEqual(attempt.text.utf8) }
}

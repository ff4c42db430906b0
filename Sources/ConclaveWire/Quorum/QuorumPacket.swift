import ConclaveCore

/// What servers of an ensemble say to each other on the quorum port.
///
/// ```
/// int kind | long zxid | buffer data | vector<{ustring scheme, ustring id}> identities
/// ```
///
/// Packets follow each other without a length in front; data and identities may be null (-1).
package struct QuorumPacket: Equatable, Sendable {
    /// The meaning of a packet, with its number on the wire.
    package enum Kind: Int32, Sendable, CaseIterable {
        /// Learner to leader: a client's write or sync; see ``ForwardedRequest``.
        case request = 1
        /// Leader to follower: log this; the data is a ``Proposal``'s body.
        case proposal = 2
        /// Learner to leader: this is durable.
        case ack = 3
        case commit = 4
        /// Both ways; the learner's answer carries ``SessionTouches``.
        case ping = 5
        /// Both ways; see ``RevalidationRequest`` and ``RevalidationAnswer``.
        case revalidate = 6
        /// Leader to learner: the oldest forwarded sync is done.
        case sync = 7
        /// Leader to observer: a committed proposal.
        case inform = 8
        case commitAndActivate = 9
        /// Leader to learner: the end of what is synchronised; the data is the text of the newest configuration.
        case newLeader = 10
        /// Follower to leader: the first packet; see ``LearnerInfo``.
        case followerInfo = 11
        case upToDate = 12
        /// Leader to learner: proposals follow that lead to this zxid.
        case diff = 13
        /// Leader to learner: cut the log behind this zxid.
        case truncate = 14
        /// Leader to learner: a raw snapshot at this zxid follows.
        case snapshot = 15
        /// Observer to leader: the first packet; see ``LearnerInfo``.
        case observerInfo = 16
        /// Leader to learner: the new epoch; see ``LeaderInfo``.
        case leaderInfo = 17
        /// Learner to leader: the epoch is accepted; see ``AckEpoch``.
        case ackEpoch = 18
        case informAndActivate = 19
    }

    /// Kind, zxid, and the lengths of data and identities.
    package static let minimumBytes = 20
    /// What stands in the field of a packet that is about no transaction.
    package static let noZxid = Zxid(rawValue: -1)

    package var kind: Kind
    package var zxid: Zxid
    /// `nil` for null, which is not the same as empty.
    package var data: [UInt8]?
    /// Who the client of a forwarded request is; `nil` for null.
    package var identities: [Identity]?

    package init(_ kind: Kind, zxid: Zxid = QuorumPacket.noZxid, data: [UInt8]? = nil, identities: [Identity]? = nil) {
        self.kind = kind
        self.zxid = zxid
        self.data = data
        self.identities = identities
    }

    /// Appends the packet.
    package func encode(into writer: inout ByteWriter) {
        Self.encode(kind, zxid: zxid, data: data, identities: identities, into: &writer)
    }

    /// The packet as it travels.
    package var bytes: [UInt8] {
        var writer = ByteWriter(capacity: Self.minimumBytes + (data?.count ?? 0))
        encode(into: &writer)
        return writer.bytes
    }

    /// Appends a packet without a value being made of it.
    package static func encode(
        _ kind: Kind, zxid: Zxid, data: [UInt8]? = nil, identities: [Identity]? = nil, into writer: inout ByteWriter
    ) {
        writer.writeWords((kind.rawValue.word, zxid.rawValue.upperWord, zxid.rawValue.lowerWord))
        writer.writeBuffer(data)
        if let identities {
            writer.writeIdentities(identities)
        } else {
            writer.writeInt32(-1)
        }
    }
}

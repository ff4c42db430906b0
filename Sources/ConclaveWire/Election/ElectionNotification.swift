import ConclaveCore

/// One message between election ports: a vote, and what its sender is doing.
///
/// ```
/// int length | int state | long leader | long zxid | long round | long peerEpoch | int version | int length | text
///              0           4             12          20           28               36            40           44
/// ```
package struct ElectionNotification: Equatable, Sendable {
    /// What the sender is doing.
    package var state: PeerState
    /// Whom it proposes, or knows to lead.
    package var leader: ServerID
    /// Last transaction of the proposed leader.
    package var zxid: Zxid
    /// The sender's count of elections, or the one in which its vote was settled.
    package var round: Int64
    /// The epoch of the proposed leader's history.
    package var peerEpoch: Int64
    /// 2 since configurations travel along; 0 and 1 are those of older servers.
    package var version: Int32 = ElectionNotification.currentVersion
    /// The text of the sender's configuration; empty if the message carried none.
    package var configuration: [UInt8]

    package static let currentVersion: Int32 = 2
    /// The longest message, without its length.
    package static let maximumBytes = 524_288

    package init(
        state: PeerState, leader: ServerID, zxid: Zxid, round: Int64, peerEpoch: Int64, configuration: [UInt8]
    ) {
        self.state = state
        self.leader = leader
        self.zxid = zxid
        self.round = round
        self.peerEpoch = peerEpoch
        self.configuration = configuration
    }

    /// Writes the message behind its length.
    package func encodeFrame(into writer: inout ByteWriter) {
        let start = writer.openLength()
        writer.writeInt32(state.rawValue)
        writer.writeInt64(leader.rawValue)
        writer.writeInt64(zxid.rawValue)
        writer.writeInt64(round)
        writer.writeInt64(peerEpoch)
        writer.writeInt32(version)
        writer.writeBuffer(configuration)
        writer.closeLength(at: start)
    }

    /// Reads a message without its length; older and shorter forms count as well.
    ///
    /// 28 bytes: the epoch is that of the zxid. 40 bytes: version 0, whatever stands in its place. Versions above 1
    /// carry a configuration. Everything else that is cut is refused.
    package init(from reader: inout ByteReader) throws(DecodingError) {
        let total = reader.remaining
        let number = try reader.readInt32()
        guard let state = PeerState(rawValue: number) else { throw .invalid("state \(number) of a vote") }
        self.state = state
        leader = ServerID(rawValue: try reader.readInt64())
        zxid = Zxid(rawValue: try reader.readInt64())
        round = try reader.readInt64()
        peerEpoch = total == 28 ? zxid.rawValue >> 32 : try reader.readInt64()
        version = total == 28 || total == 40 ? 0 : try reader.readInt32()
        configuration = []
        guard version > 1 else { return }
        // The reference takes no negative length here, not even the one of null.
        let length = try reader.readInt32()
        guard length >= 0, Int(length) <= reader.remaining else { throw .badLength(length) }
        configuration = Array(reader.bytes[reader.offset..<reader.offset + Int(length)])
        try reader.skip(Int(length))
    }
}

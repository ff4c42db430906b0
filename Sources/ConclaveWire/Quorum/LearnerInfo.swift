import ConclaveCore

/// The data of FOLLOWERINFO and OBSERVERINFO: who a learner is.
///
/// ```
/// long serverid | int protocolVersion | long configVersion
/// ```
///
/// Old releases send less: the version and the configuration's version may be missing, or all of it.
package struct LearnerInfo: Equatable, Sendable {
    /// The protocol spoken since release 3.4, with epochs acknowledged on their own.
    package static let protocolVersion: Int32 = 0x10000

    /// `nil` for a learner without a number.
    package var serverID: ServerID?
    package var protocolVersion: Int32
    /// The version of the learner's committed configuration.
    package var configurationVersion: Int64

    package init(
        serverID: ServerID?, protocolVersion: Int32 = LearnerInfo.protocolVersion, configurationVersion: Int64
    ) {
        self.serverID = serverID
        self.protocolVersion = protocolVersion
        self.configurationVersion = configurationVersion
    }

    /// Reads what is there; a learner that tells nothing has no number.
    package init(_ data: [UInt8]?) {
        var reader = ByteReader(data ?? [])
        // Each part may be missing, and then stands for its oldest value.
        serverID = (try? reader.readInt64()).map(ServerID.init(rawValue:))
        protocolVersion = (try? reader.readInt32()) ?? 0
        configurationVersion = (try? reader.readInt64()) ?? 0
    }

    /// 20 bytes.
    package var data: [UInt8] {
        var writer = ByteWriter(capacity: 20)
        writer.writeInt64(serverID?.rawValue ?? -1)
        writer.writeInt32(protocolVersion)
        writer.writeInt64(configurationVersion)
        return writer.bytes
    }
}

/// The data of LEADERINFO: `int protocolVersion`. The epoch is in the packet's zxid.
package struct LeaderInfo: Equatable, Sendable {
    package var protocolVersion: Int32

    package init(protocolVersion: Int32 = LearnerInfo.protocolVersion) { self.protocolVersion = protocolVersion }

    package init(_ data: [UInt8]?) throws(DecodingError) {
        var reader = ByteReader(data ?? [])
        protocolVersion = try reader.readInt32()
    }

    /// 4 bytes.
    package var data: [UInt8] {
        var writer = ByteWriter(capacity: 4)
        writer.writeInt32(protocolVersion)
        return writer.bytes
    }
}

/// The data of ACKEPOCH: `int currentEpoch`. The learner's last zxid is the packet's.
package struct AckEpoch: Equatable, Sendable {
    /// The epoch whose history the learner has; `nil` if it had promised the new epoch before and so may not be counted
    /// again (on the wire -1).
    package var currentEpoch: Int64?

    package init(currentEpoch: Int64?) { self.currentEpoch = currentEpoch }

    package init(_ data: [UInt8]?) throws(DecodingError) {
        var reader = ByteReader(data ?? [])
        let epoch = try reader.readInt32()
        currentEpoch = epoch == -1 ? nil : Int64(epoch)
    }

    /// 4 bytes.
    package var data: [UInt8] {
        var writer = ByteWriter(capacity: 4)
        writer.writeInt32(currentEpoch.map(Int32.init(truncatingIfNeeded:)) ?? -1)
        return writer.bytes
    }
}

import ConclaveCore
import ConclaveTree
import ConclaveWire

/// Snapshots of the tree, exact at one zxid, in slices that never stall the loop (DESIGN D7).
extension ServerMachine {
    package mutating func beginSnapshot() -> SnapshotPlan { tree.beginSnapshot() }

    /// The next part of the file, encoded.
    /// - Returns: the bytes, and whether there is more.
    package mutating func nextSnapshotSlice(limitBytes: Int) -> (bytes: [UInt8], hasMore: Bool) {
        var writer = ByteWriter(capacity: limitBytes + 4096)
        let hasMore = tree.nextSnapshotNodes(limitBytes: limitBytes) { node in
            SnapshotEncoder.write(node, into: &writer)
        }
        return (writer.bytes, hasMore)
    }
}

/// What a snapshot file holds in front of its nodes, and one node.
package enum SnapshotEncoder {
    /// Sessions and access control lists; the header is storage's.
    package static func tables(_ plan: SnapshotPlan) -> [UInt8] {
        var writer = ByteWriter()
        SnapshotCodec.writeSessions(
            plan.sessions.map { SnapshotSession(id: $0.id, timeoutMilliseconds: $0.timeoutMilliseconds) }, into: &writer
        )
        SnapshotCodec.writeACLTable(plan.acls.map { SnapshotACL(key: $0.key, acl: $0.acl) }, into: &writer)
        return writer.bytes
    }

    /// What ends the stream of a snapshot to a learner, behind the nodes.
    package static let streamEnd: [UInt8] = {
        var writer = ByteWriter()
        writer.writeBuffer([UInt8(ascii: "/")])
        writer.writeBuffer(SnapshotStreamDecoder.signature)
        return writer.bytes
    }()

    static func write(_ node: ConclaveTree.SnapshotNode, into writer: inout ByteWriter) {
        writer.writeBuffer(node.path[...])
        if let data = node.data { writer.writeBuffer(data) } else { writer.writeInt32(-1) }
        writer.writeInt64(node.aclKey)
        writer.writeStoredStat(node.stat)
    }
}

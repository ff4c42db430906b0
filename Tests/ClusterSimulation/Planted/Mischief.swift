import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveSimulator
import ConclaveTree
import ConclaveWire

/// What planted bugs of servers remember.
struct Mischief: Sendable {
    private var count: UInt64 = 0

    /// True once in so many calls, evenly.
    mutating func onceIn(_ calls: UInt64) -> Bool {
        count += 1
        return count % calls == 0
    }
}

/// Planted bugs of servers that change what is sent.
extension NodeServer {
    func tampered(election bytes: [UInt8]) -> [UInt8] {
        // length | state | leader | zxid …, from a server that votes for itself.
        guard planted == .electsTheStale, id.rawValue == 1, bytes.count >= 24 else { return bytes }
        var reader = ByteReader(bytes, in: 8..<24)
        guard let leader = try? reader.readInt64(), let zxid = try? reader.readInt64(), leader == 1 else {
            return bytes
        }
        var writer = ByteWriter()
        writer.writeRaw(bytes[..<16])
        writer.writeInt64(zxid | 0xFFF_FFFF)
        writer.writeRaw(bytes[24...])
        return writer.bytes
    }

    mutating func tampered(quorum bytes: [UInt8], toLeader: Bool) -> [UInt8] {
        let concerned: Bool
        switch planted {
        case .commitsAtOnce, .changesProposals, .revivesSessions: concerned = !toLeader
        case .forwardsTwice, .electsTheStale: concerned = toLeader
        default: concerned = false
        }
        guard concerned else { return bytes }
        var decoder = QuorumPacketDecoder()
        decoder.append(bytes.span)
        var writer = ByteWriter()
        while let packet = try? decoder.next() {
            for changed in tampered(packet) { changed.encode(into: &writer) }
        }
        return writer.bytes
    }

    private mutating func tampered(_ packet: QuorumPacket) -> [QuorumPacket] {
        var packet = packet
        switch (planted, packet.kind) {
        case (.commitsAtOnce, .proposal): return [packet, QuorumPacket(.commit, zxid: packet.zxid)]
        case (.commitsAtOnce, .commit): return []
        case (.changesProposals, .proposal):
            guard mischief.onceIn(50), var body = packet.data, body.count > 40 else { break }
            // The leader's clock, which is the same for everybody.
            body[27] ^= 1
            packet.data = body
        case (.revivesSessions, .revalidate):
            if let data = packet.data, data.count >= 9 { packet.data = Array(data[..<8]) + [1] }
        case (.forwardsTwice, .request): if mischief.onceIn(20) { return [packet, packet] }
        case (.electsTheStale, .ackEpoch):
            packet.zxid = .zero
            packet.data = [0, 0, 0, 0]
        default: break
        }
        return [packet]
    }

    mutating func tampered(tables: [UInt8]) -> [UInt8] {
        guard planted == .streamsWithoutSessions, let plan = snapshot else { return tables }
        var writer = ByteWriter()
        SnapshotCodec.writeSessions([], into: &writer)
        SnapshotCodec.writeACLTable(plan.acls.map { SnapshotACL(key: $0.key, acl: $0.acl) }, into: &writer)
        return writer.bytes
    }

    mutating func tampered(replies bytes: [UInt8]) -> [UInt8] {
        switch planted {
        case .sendsEventsLate, .losesEvents, .namesNewerState: break
        default: return bytes
        }
        var decoder = FrameDecoder()
        decoder.append(bytes.span)
        var (kept, late) = (ByteWriter(), ByteWriter())
        while let frame = try? decoder.nextFrame() {
            var body = Array(decoder.buffer[frame])
            var reader = ByteReader(body)
            let xid = (try? reader.readInt32()) ?? 0
            // The answer to a connect request has no xid; it begins with 0.
            let isEvent = xid == ReservedXid.notification && body.count > 16
            if isEvent, planted == .losesEvents, mischief.onceIn(10) { continue }
            if xid > 0, planted == .namesNewerState, mischief.onceIn(40) { body[11] &+= 1 }
            let isLate = isEvent && planted == .sendsEventsLate
            var writer = ByteWriter()
            writer.writeBuffer(body)
            if isLate { late.writeRaw(writer.bytes) } else { kept.writeRaw(writer.bytes) }
        }
        kept.writeRaw(late.bytes)
        return kept.bytes
    }

    mutating func endSessionEarly(_ world: borrowing World) {
        guard planted == .endsSessionsEarly, mischief.onceIn(20) else { return }
        guard let session = node?.server.tree.sessions.keys.min() else { return }
        _ = node?.server.expire(session, now: Self.now(world, planted), wall: world.wall)
    }
}

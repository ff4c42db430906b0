import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveSimulator
import ConclaveTree
import ConclaveWire

/// What the judge is told.
extension NodeServer {
    mutating func changed(_ role: ServingRole, _ world: inout World) {
        switch role {
        case .none, .readOnly:
            observeApplied(through: node?.server.servedThrough ?? .zero, &world)
            if shownThrough != nil { world.observe(.stoppedServing) }
            shownThrough = nil
        case .leader, .follower, .observer, .standalone:
            if role == .leader { world.observe(.activated(epoch: node?.currentEpoch ?? 0)) }
            let from = node?.server.servedFrom ?? .zero
            let isNow = from == node?.server.tree.lastProcessed
            world.observe(.serving(through: from, digest: isNow ? digest : nil))
            shownThrough = from
            while let first = unapplied.first, first <= from { _ = unapplied.popFirst() }
        }
    }

    /// Asked without a closure, which would be given a copy of the whole node.
    private var digest: UInt64? {
        guard let digest = node?.server.tree.digest else { return nil }
        return UInt64(bitPattern: digest)
    }

    /// Tells of everything that was applied and shown since the last call.
    mutating func observeApplied(_ world: inout World) {
        guard shownThrough != nil, let last = node?.server.tree.lastProcessed else { return }
        observeApplied(through: last, &world)
    }

    private mutating func observeApplied(through last: Zxid, _ world: inout World) {
        guard let shown = shownThrough, last > shown else { return }
        while let first = unapplied.first, first <= last {
            _ = unapplied.popFirst()
            let isNow = first == node?.server.tree.lastProcessed
            world.observe(.applied(first, digest: isNow ? digest : nil))
        }
        shownThrough = last
    }

    /// Reads the learner's own packets for what it claims to have on its disk.
    mutating func observeAcknowledgements(_ bytes: [UInt8], _ world: inout World) {
        acknowledging.append(bytes.span)
        while let packet = try? acknowledging.next() {
            guard packet.kind == .ack else { continue }
            // The acknowledgement of NEWLEADER is one of everything that came before it.
            world.observe(.acknowledged(through: packet.zxid.counter == 0 ? adopted : packet.zxid))
        }
    }

    func observe(_ event: LogEvent, _ world: inout World) {
        world.note("\(event.level): \(event.message)")
        if event.level == .error { world.fail("servers report no errors", event.message) }
    }
}

extension LogEntry {
    init(_ transaction: Transaction) {
        let header = transaction.header
        var kind = Kind.request
        var removed: String?
        switch transaction.change {
        case .createSession: kind = .other
        case .deleteContainer(let path): (kind, removed) = (.other, path.text)
        case .closeSession: kind = .closeSession
        // Refused because of the session, not of the request: no model of the tree can foresee it.
        case .error(let code) where SessionRefusal.codes.contains(code): kind = .other
        default: if header.session == .none { kind = .other }
        }
        var fingerprint: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in Proposal(transaction).body { fingerprint = (fingerprint ^ UInt64(byte)) &* 0x100_0000_01B3 }
        self.init(
            zxid: header.zxid, kind: kind, session: header.session, cxid: header.cxid, fingerprint: fingerprint,
            removed: removed)
    }
}

/// Answers that are about the session and not about what was asked.
enum SessionRefusal {
    static let codes: [Int32] = [
        ZooKeeperError.Code.sessionExpired.rawValue, ZooKeeperError.Code.sessionMoved.rawValue,
    ]
}

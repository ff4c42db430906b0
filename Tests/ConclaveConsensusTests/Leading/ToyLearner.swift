import ConclaveConsensus
import ConclaveCore
import ConclaveWire

/// A learner that does what it is told, and notices what it should not have been told.
struct ToyLearner {
    let id: ServerID
    let isObserver: Bool
    var log: [Proposal] = []
    var acceptedEpoch: Int64 = 0
    var currentEpoch: Int64 = 0
    private(set) var committed = Zxid.zero
    /// Of the log, as it would be found after a crash.
    private(set) var durable = Zxid.zero
    private(set) var link: LinkID?
    private(set) var isUpToDate = false
    var incoming: [UInt8] = []
    var outgoing: [UInt8] = []
    var snapshots: [[Proposal]] = []
    private var unacknowledged: [Zxid] = []
    private var decoder = QuorumPacketDecoder()

    init(id: ServerID, isObserver: Bool) {
        self.id = id
        self.isObserver = isObserver
    }

    private var last: Zxid { log.last?.zxid ?? .zero }

    mutating func connected(_ link: LinkID) {
        self.link = link
        durable = last
        let info = LearnerInfo(serverID: id, configurationVersion: 0)
        send(
            QuorumPacket(
                isObserver ? .observerInfo : .followerInfo, zxid: Zxid(rawValue: acceptedEpoch << 32), data: info.data))
    }

    mutating func disconnected() {
        link = nil
        isUpToDate = false
        incoming = []
        outgoing = []
        unacknowledged = []
        snapshots = []
        decoder = QuorumPacketDecoder()
        committed = .zero
        // As after a crash: what was not synced may be lost.
        log.removeAll { $0.zxid > durable }
    }

    /// Makes some of the log durable and says so.
    mutating func acknowledge(some count: Int) {
        for zxid in unacknowledged.prefix(count) {
            durable = max(durable, zxid)
            if !isObserver { send(QuorumPacket(.ack, zxid: zxid)) }
        }
        unacknowledged.removeFirst(min(count, unacknowledged.count))
    }

    mutating func receive(_ bytes: [UInt8]) -> String? {
        decoder.append(bytes.span)
        do {
            while let packet = try decoder.next() {
                if let problem = handle(packet) {
                    return "learner \(id), \(packet.kind) \(packet.zxid): \(problem)"
                }
            }
        } catch {
            return "learner \(id): \(error)"
        }
        return nil
    }

    private mutating func handle(_ packet: QuorumPacket) -> String? {
        switch packet.kind {
        case .leaderInfo:
            let epoch = Int64(packet.zxid.epoch)
            let ack = AckEpoch(currentEpoch: epoch > acceptedEpoch ? currentEpoch : nil)
            acceptedEpoch = epoch
            send(QuorumPacket(.ackEpoch, zxid: last, data: ack.data))
        case .diff: committed = last
        case .truncate:
            log.removeAll { $0.zxid > packet.zxid }
            durable = min(durable, packet.zxid)
            committed = packet.zxid
            if last != packet.zxid { return "the log ends with \(last)" }
        case .snapshot:
            guard !snapshots.isEmpty else { return "no snapshot" }
            log = snapshots.removeFirst()
            durable = last
            committed = last
        case .proposal, .inform: return append(packet)
        case .commit: return commit(packet.zxid)
        case .newLeader:
            durable = last
            currentEpoch = Int64(packet.zxid.epoch)
            send(QuorumPacket(.ack, zxid: packet.zxid))
        case .upToDate: isUpToDate = true
        case .ping: send(QuorumPacket(.ping, zxid: packet.zxid, data: []))
        default: return "unexpected"
        }
        return nil
    }

    private mutating func append(_ packet: QuorumPacket) -> String? {
        guard let proposal = try? Proposal(body: packet.data), proposal.zxid == packet.zxid else { return "unreadable" }
        let follows =
            proposal.zxid.rawValue == last.rawValue + 1
            || (proposal.zxid.epoch > last.epoch && proposal.zxid.counter == 1)
        guard follows else { return "does not follow \(last)" }
        log.append(proposal)
        unacknowledged.append(proposal.zxid)
        if packet.kind == .inform { return commit(packet.zxid) }
        return nil
    }

    private mutating func commit(_ zxid: Zxid) -> String? {
        guard log.contains(where: { $0.zxid == zxid }) else { return "not in the log" }
        guard zxid > committed else { return "behind \(committed)" }
        committed = zxid
        return nil
    }

    private mutating func send(_ packet: QuorumPacket) { outgoing += packet.bytes }
}

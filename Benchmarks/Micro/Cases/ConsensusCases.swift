import ConclaveConsensus
import ConclaveCore
import ConclaveWire

/// A leader of three with its two followers, whose answers are made here.
private struct SampleLeader {
    var machine: LeaderMachine
    let now = Instant(milliseconds: 1_000_000)
    let links = [LinkID(rawValue: 1), LinkID(rawValue: 2)]
    var committed = Zxid.zero

    init() throws {
        let members = (1...3).map { number in
            EnsembleMember(
                id: ServerID(rawValue: Int64(number)),
                addresses: [
                    EnsembleMember.Address(host: "127.0.0.1", quorumPort: 2000 + number, electionPort: 3000 + number)
                ], role: .participant)
        }
        let options = EnsembleOptions(myID: ServerID(rawValue: 1))
        machine = LeaderMachine(
            options: options, configuration: try EnsembleConfiguration(members: members, version: 0), acceptedEpoch: 0,
            currentEpoch: 0, lastZxid: .zero, history: CommittedLog(after: .zero, options: options), now: now)
        for (index, link) in links.enumerated() {
            machine.learnerConnected(link, now: now)
            let info = LearnerInfo(serverID: ServerID(rawValue: Int64(index + 2)), configurationVersion: 0)
            deliver(QuorumPacket(.followerInfo, zxid: .zero, data: info.data), on: link)
        }
        drain()
        for link in links {
            deliver(QuorumPacket(.ackEpoch, zxid: .zero, data: AckEpoch(currentEpoch: 0).data), on: link)
        }
        drain()
        for link in links { deliver(QuorumPacket(.ack, zxid: machine.epochStart), on: link) }
        drain()
        guard machine.phase == .leading else { throw MicroError("nobody leads: \(machine.phase)") }
    }

    mutating func deliver(_ packet: QuorumPacket, on link: LinkID) {
        machine.received(packet.bytes.span, on: link, now: now)
    }

    mutating func drain() {
        while true {
            let actions = machine.takeActions()
            if actions.isEmpty { return }
            for action in actions {
                switch action {
                case .saveAcceptedEpoch: machine.savedAcceptedEpoch(now: now)
                case .saveCurrentEpoch: machine.savedCurrentEpoch(now: now)
                case .send(_, let bytes): keep(bytes.count)
                case .commit(let zxid): committed = zxid
                default: break
                }
            }
        }
    }

    /// So many proposals in one turn, each made durable here and acknowledged by both followers.
    mutating func commit(_ count: Int) throws {
        var proposals: [Proposal] = []
        var next = machine.nextZxid
        for _ in 0..<count {
            guard let zxid = next else { throw MicroError("the leader takes no proposals") }
            proposals.append(Proposal(.sampleSet(zxid)))
            next = zxid.successor
        }
        machine.propose(proposals, now: now)
        let last = proposals.last?.zxid ?? .zero
        machine.synced(through: last, now: now)
        for link in links {
            for number in 0..<UInt32(count) {
                let zxid = Zxid(epoch: last.epoch, counter: last.counter - UInt32(count) + 1 + number)
                deliver(QuorumPacket(.ack, zxid: zxid), on: link)
            }
        }
        drain()
        guard committed == last else { throw MicroError("\(committed) is committed, not \(last)") }
    }
}

/// What a replicated write costs the leader's machine, everything between proposal and commit.
let consensusCases: [MicroCase] = [
    MicroCase("consensus-commit-1", "a write proposed, acknowledged and committed alone", operations: 256) {
        var leader = try SampleLeader()
        return { for _ in 0..<256 { try leader.commit(1) } }
    },
    MicroCase("consensus-commit-64", "a write among 64 of one turn", operations: 1_024) {
        var leader = try SampleLeader()
        return { for _ in 0..<16 { try leader.commit(64) } }
    },
    MicroCase("consensus-packet", "a proposal cut out of what a leader sent", operations: 1_024) {
        let packet = QuorumPacket(
            .proposal, zxid: Zxid(epoch: 1, counter: 1), data: Proposal(.sampleSet(Zxid(epoch: 1, counter: 1))).body)
        let bytes = [UInt8]((0..<64).map { _ in packet.bytes }.joined())
        var decoder = QuorumPacketDecoder()
        return {
            for _ in 0..<16 {
                decoder.append(bytes.span)
                while let packet = try decoder.next() { keep(packet.zxid.rawValue) }
            }
        }
    },
]

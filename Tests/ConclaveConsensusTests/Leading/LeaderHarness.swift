import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// A leader on a manual clock, with scripted learners.
struct LeaderHarness {
    var machine: LeaderMachine
    var now = Instant(milliseconds: 1_000_000)
    /// What went out on each connection and was not looked at yet.
    /// How many sends were not in a hurry.
    private(set) var laterCount = 0
    private var outbox: [LinkID: QuorumPacketDecoder] = [:]
    /// Everything but sends and notes that was not looked at yet.
    private var performed: [LeaderAction] = []
    private(set) var notes: [LogEvent] = []
    private var links: UInt64 = 0
    /// Stores epochs at once, as a disk without delay.
    var savesAtOnce = true

    init(
        voters: [Int64] = [1, 2, 3], observers: [Int64] = [], configuration: EnsembleConfiguration? = nil,
        lastSeen: EnsembleConfiguration? = nil, me: Int64 = 1, acceptedEpoch: Int64 = 0, currentEpoch: Int64 = 0,
        lastZxid: Zxid = .zero, history: CommittedLog? = nil, change: (inout EnsembleOptions) -> Void = { _ in }
    ) throws {
        var options = EnsembleOptions(myID: server(me))
        change(&options)
        machine = LeaderMachine(
            options: options,
            configuration: try configuration ?? ensemble(voters: voters, observers: observers),
            lastSeen: lastSeen, acceptedEpoch: acceptedEpoch, currentEpoch: currentEpoch, lastZxid: lastZxid,
            history: history ?? CommittedLog(after: lastZxid, options: options), now: now)
        drain()
    }

    // MARK: Events

    mutating func connect() -> LinkID {
        links += 1
        let link = LinkID(rawValue: links)
        machine.learnerConnected(link, now: now)
        drain()
        return link
    }

    mutating func close(_ link: LinkID) {
        machine.learnerClosed(link, now: now)
        drain()
    }

    mutating func deliver(_ bytes: [UInt8], on link: LinkID) {
        machine.received(bytes.span, on: link, now: now)
        drain()
    }

    mutating func deliver(_ packet: QuorumPacket, on link: LinkID) { deliver(packet.bytes, on: link) }

    mutating func perform(_ event: (inout LeaderMachine, Instant) -> Void) {
        event(&machine, now)
        drain()
    }

    mutating func advance(milliseconds: Int64) {
        now = now.advanced(byMilliseconds: milliseconds)
        perform { $0.tick(now: $1) }
    }

    /// A whole connection up to FOLLOWERINFO or OBSERVERINFO.
    mutating func introduce(
        _ number: Int64, acceptedEpoch: UInt32 = 0, observer: Bool = false, version: Int64 = 0
    ) -> LinkID {
        let link = connect()
        let info = LearnerInfo(serverID: server(number), configurationVersion: version)
        deliver(
            QuorumPacket(observer ? .observerInfo : .followerInfo, zxid: zxid(acceptedEpoch, 0), data: info.data),
            on: link)
        return link
    }

    mutating func ackEpoch(_ link: LinkID, current: Int64?, last: Zxid) {
        deliver(QuorumPacket(.ackEpoch, zxid: last, data: AckEpoch(currentEpoch: current).data), on: link)
    }

    mutating func ack(_ link: LinkID, _ zxid: Zxid) { deliver(QuorumPacket(.ack, zxid: zxid), on: link) }

    /// Introduces a learner and lets it acknowledge the epoch.
    mutating func join(
        _ number: Int64, acceptedEpoch: UInt32 = 0, current: Int64 = 0, last: Zxid = .zero, observer: Bool = false
    ) -> LinkID {
        let link = introduce(number, acceptedEpoch: acceptedEpoch, observer: observer)
        ackEpoch(link, current: current, last: last)
        return link
    }

    /// A leader that is active with learners that miss nothing.
    mutating func lead(with followers: [Int64], last: Zxid = .zero, current: Int64 = 0) -> [LinkID] {
        let links = followers.map { introduce($0) }
        for link in links { ackEpoch(link, current: current, last: last) }
        for link in links { ack(link, machine.epochStart) }
        for link in links { _ = packets(link) }
        _ = actions()
        return links
    }

    mutating func propose(count: Int = 1, data: [UInt8] = []) {
        for _ in 0..<count {
            guard let next = machine.nextZxid else { return }
            let proposal = proposal(next.epoch, next.counter, data: data)
            machine.propose([proposal], now: now)
        }
        drain()
    }

    /// A client's sync, forwarded.
    mutating func sync(_ link: LinkID) {
        let request = ForwardedRequest(session: SessionID(rawValue: 5), cxid: 1, operation: .sync, body: [])
        deliver(QuorumPacket(.request, data: request.data), on: link)
    }

    mutating func synced(_ zxid: Zxid) { perform { $0.synced(through: zxid, now: $1) } }

    // MARK: What came of it

    /// What went out on a connection since the last look.
    mutating func packets(_ link: LinkID) -> [QuorumPacket] {
        var taken: [QuorumPacket] = []
        do {
            while let packet = try outbox[link]?.next() { taken.append(packet) }
        } catch {
            Issue.record("\(link): \(error)")
        }
        return taken
    }

    /// The same, short: kind and zxid.
    mutating func sent(_ link: LinkID) -> [Sent] { packets(link).map { Sent($0.kind, $0.zxid) } }

    /// Everything but sends and notes since the last look.
    mutating func actions() -> [LeaderAction] {
        defer { performed = [] }
        return performed
    }

    private mutating func drain() {
        while true {
            let actions = machine.takeActions()
            if actions.isEmpty { return }
            for action in actions {
                switch action {
                case .sendLater(let link, let bytes):
                    laterCount += 1
                    outbox[link, default: QuorumPacketDecoder()].append(bytes.span)
                case .send(let link, let bytes):
                    outbox[link, default: QuorumPacketDecoder()].append(bytes.span)
                case .note(let event): notes.append(event)
                case .saveAcceptedEpoch:
                    performed.append(action)
                    if savesAtOnce { machine.savedAcceptedEpoch(now: now) }
                case .saveCurrentEpoch:
                    performed.append(action)
                    if savesAtOnce { machine.savedCurrentEpoch(now: now) }
                default: performed.append(action)
                }
            }
        }
    }
}

/// Kind and zxid of a packet.
struct Sent: Equatable, CustomStringConvertible {
    let kind: QuorumPacket.Kind
    let zxid: Zxid

    init(_ kind: QuorumPacket.Kind, _ zxid: Zxid) {
        self.kind = kind
        self.zxid = zxid
    }

    var description: String { "\(kind) \(zxid)" }

    static func diff(_ epoch: UInt32, _ counter: UInt32) -> Sent {
        Sent(.diff, ConclaveCore.Zxid(epoch: epoch, counter: counter))
    }
    static func newLeader(_ epoch: UInt32) -> Sent { Sent(.newLeader, Zxid(epoch: epoch, counter: 0)) }
    static let upToDate = Sent(.upToDate, QuorumPacket.noZxid)

    /// PROPOSAL and COMMIT of each.
    static func committed(_ epoch: UInt32, _ counters: ClosedRange<UInt32>) -> [Sent] {
        counters.flatMap {
            [
                Sent(.proposal, Zxid(epoch: epoch, counter: $0)), Sent(.commit, Zxid(epoch: epoch, counter: $0)),
            ]
        }
    }
}

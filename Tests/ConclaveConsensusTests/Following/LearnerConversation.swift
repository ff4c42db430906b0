import ConclaveConsensus
import ConclaveCore
import ConclaveWire

/// Plays leader, disk and clock for a learner: one call per event, and what the learner did as one word or two per
/// action.
struct LearnerConversation {
    var machine: LearnerMachine
    /// Milliseconds.
    var time: Int64 = 10_000

    static let configuration = configuration(version: 0)

    static func configuration(
        version: Int64, _ roles: [EnsembleMember.Role] = [.participant, .participant, .participant]
    )
        -> EnsembleConfiguration
    {
        let members = roles.indices.map { index in
            EnsembleMember(
                id: ServerID(rawValue: Int64(index + 1)),
                addresses: [.init(host: "10.0.0.\(index + 1)", quorumPort: 2888, electionPort: 3888)],
                role: roles[index])
        }
        // Cannot throw: the ids differ.
        return try! EnsembleConfiguration(members: members, version: version)
    }

    /// Server 1, which follows server 3.
    init(
        role: EnsembleMember.Role = .participant, accepted: Int64 = 1, current: Int64 = 1, last: Int64 = 0x1_0000_0005,
        wantsSnapshotIn: Int64? = nil,
        configuration: EnsembleConfiguration = LearnerConversation.configuration,
        _ configure: (inout EnsembleOptions) -> Void = { _ in }
    ) {
        var options = EnsembleOptions(myID: ServerID(rawValue: 1))
        options.tickMilliseconds = 100
        configure(&options)
        machine = LearnerMachine(
            options: options, role: role, leader: ServerID(rawValue: 3), acceptedEpoch: accepted, currentEpoch: current,
            lastZxid: Zxid(rawValue: last), wantsSnapshotIn: wantsSnapshotIn, configuration: configuration,
            now: Instant(milliseconds: 10_000))
    }

    var now: Instant { Instant(milliseconds: time) }

    // MARK: What it did

    mutating func actions() -> [LearnerAction] {
        machine.takeActions().filter { action in
            if case .note = action { false } else { true }
        }
    }

    /// Every action since the last question, packets one by one.
    mutating func did() -> [String] { actions().flatMap(Self.words) }

    /// Like ``did()``, the pieces of a snapshot counted together.
    mutating func didInAll() -> [String] {
        var words: [String] = []
        var records = 0
        for action in actions() {
            if case .loadSnapshot(let batch) = action {
                records += batch.records.count
                continue
            }
            if records > 0 { words.append("load \(records)") }
            records = 0
            words += Self.words(action)
        }
        return words
    }

    static func words(_ action: LearnerAction) -> [String] {
        switch action {
        case .connect: ["connect"]
        case .send(let bytes): packets(bytes)
        case .saveAcceptedEpoch(let epoch): ["save accepted \(epoch)"]
        case .saveCurrentEpoch(let epoch): ["save current \(epoch)"]
        case .truncate(let zxid): ["truncate \(zxid)"]
        case .beginSnapshot: ["begin"]
        case .loadSnapshot(let batch): ["load \(batch.records.count)"]
        case .endSnapshot(let zxid): ["end \(zxid)"]
        case .apply(let proposal): ["apply \(proposal.zxid)"]
        case .writeSnapshot: ["write"]
        case .digestsHold(let zxid): ["digests hold \(zxid)"]
        case .append(let proposal): ["append \(proposal.zxid)"]
        case .commit(let zxid): ["commit \(zxid)"]
        case .announced(let configuration): ["announced \(configuration.version)"]
        case .adopt(let configuration): ["adopt \(configuration.version)"]
        case .startServing(let epoch): ["serve \(epoch)"]
        case .pingReceived: ["ping"]
        case .syncAnswered: ["synced"]
        case .revalidated(let session, let isValid): ["session \(session) \(isValid ? "lives" : "is gone")"]
        case .startOver(let epoch): ["ask for a snapshot in epoch \(epoch)"]
        case .lookAgain(_, let isStale): [isStale ? "look again, stale" : "look again"]
        case .note: []
        }
    }

    static func packets(_ bytes: [UInt8]) -> [String] {
        var decoder = QuorumPacketDecoder()
        decoder.append(bytes.span)
        var words: [String] = []
        // Cannot throw: the learner made them.
        while let packet = try! decoder.next() {
            var word = "\(packet.kind)"
            if packet.zxid != QuorumPacket.noZxid { word += " \(packet.zxid)" }
            if packet.kind == .ackEpoch, let ack = try? AckEpoch(packet.data) {
                word += " \(ack.currentEpoch.map(String.init) ?? "none")"
            }
            words.append(word)
        }
        if decoder.pendingBytes > 0 { words.append("rest") }
        return words
    }

    // MARK: Events

    mutating func pass(_ milliseconds: Int64) {
        time += milliseconds
        machine.tick(now: now)
    }

    mutating func receive(_ bytes: [UInt8]) { machine.received(bytes.span, now: now) }

    mutating func receive(_ kind: QuorumPacket.Kind, _ zxid: Int64 = -1, data: [UInt8]? = nil) {
        receive(QuorumPacket(kind, zxid: Zxid(rawValue: zxid), data: data).bytes)
    }

    mutating func connect() { machine.connected(now: now) }

    mutating func leaderInfo(epoch: Int64) {
        receive(.leaderInfo, epoch << 32, data: LeaderInfo().data)
    }

    mutating func propose(_ zxids: Int64...) {
        for zxid in zxids { receive(.proposal, zxid, data: Self.proposal(zxid).body) }
    }

    mutating func commit(_ zxids: Int64...) { for zxid in zxids { receive(.commit, zxid) } }

    mutating func inform(_ zxid: Int64) { receive(.inform, zxid, data: Self.proposal(zxid).body) }

    mutating func sync(_ zxid: Int64) {
        machine.synced(DurableReceipt(syncedThrough: Zxid(rawValue: zxid)), now: now)
    }

    static func proposal(_ zxid: Int64, _ change: Change = .setData(path: "/a", data: [1], version: 1)) -> Proposal {
        Proposal(
            Transaction(
                header: TransactionHeader(
                    session: SessionID(rawValue: 7), cxid: 1, zxid: Zxid(rawValue: zxid), timeMilliseconds: 1),
                change: change))
    }

    /// The smallest snapshot as it follows SNAP: a session, a root and a node.
    static let snapshot: [UInt8] = {
        let stat = StoredStat(
            czxid: .zero, mzxid: .zero, ctime: 0, mtime: 0, version: 0, childCreates: 1, aversion: 0, owner: 0,
            pzxid: .zero)
        var writer = ByteWriter()
        SnapshotCodec.writeSessions(
            [SnapshotSession(id: SessionID(rawValue: 7), timeoutMilliseconds: 4000)], into: &writer)
        SnapshotCodec.writeACLTable([SnapshotACL(key: 1, acl: .readOnly)], into: &writer)
        for path in ["", "/a"] {
            SnapshotCodec.writeNode(path: Array(path.utf8).span, data: [1], aclKey: 1, stat: stat, into: &writer)
        }
        SnapshotCodec.writeTerminator(into: &writer)
        writer.writeBuffer(SnapshotStreamDecoder.signature)
        return writer.bytes
    }()

    // MARK: Longer stretches

    /// Connected, promised to epoch 2; the leader's opening packet comes next.
    mutating func discover(epoch: Int64 = 2) {
        connect()
        leaderInfo(epoch: epoch)
        machine.savedAcceptedEpoch(now: now)
        _ = did()
    }

    /// In epoch 2, serving, with nothing left over.
    mutating func serve() {
        discover()
        receive(.diff, machine.committed.rawValue)
        receive(.newLeader, 0x2_0000_0000)
        machine.savedCurrentEpoch(now: now)
        receive(.upToDate)
        _ = did()
    }
}

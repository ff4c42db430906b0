import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import TestLanes
import Testing

/// A leader among simple learners, over connections that are slow, cut messages anywhere and break.
@Suite(.aside) struct LeaderModelTests {
    @Test(
        "What is committed stays in the logs of a quorum, and everybody ends with the same history", arguments: 0..<60)
    func history(seed: UInt64) throws {
        var model = try LeaderModel(seed: seed, voters: 3 + Int64(seed % 3), observers: Int64(seed % 2))
        for _ in 0..<1500 where !model.isOver { try model.step(faults: true) }
        for _ in 0..<60 where !model.isOver && !model.isSettled {
            for _ in 0..<100 where !model.isOver { try model.step(faults: false) }
        }
        #expect(model.problems == [], "seed \(seed)")
        // The one excuse: too many connections were broken when it mattered.
        let excuses = ["the quorum left while it caught up", "too few followers are left"]
        #expect(model.isSettled || excuses.contains(model.end ?? ""), "seed \(seed): \(model.state)")
    }
}

/// One run from one seed.
struct LeaderModel {
    private(set) var harness: LeaderMachine
    private(set) var problems: [String] = []
    private(set) var end: String?

    private var random: SeededRandom
    private var now = Instant(milliseconds: 1_000_000)
    private let voterCount: Int
    private var learners: [ToyLearner] = []
    /// The leader's whole log, and how much of it is durable.
    private var log: [Proposal]
    private var synced: Int
    private var isActive = false
    private var links: UInt64 = 0
    /// Orders that the leader's own server has not carried out yet.
    private var orders: [LeaderAction] = []
    private var clock = 0

    init(seed: UInt64, voters: Int64, observers: Int64) throws {
        random = SeededRandom(seed: seed)
        voterCount = Int(voters)
        // Epoch 2 up to 2:30; the others have more or less of it.
        log = (1...8).map { proposal(1, $0) } + (1...30).map { proposal(2, $0) }
        synced = log.count
        var options = EnsembleOptions(myID: server(1))
        options.commitLogCount = 12
        options.learnerBurstBytes = 300
        options.snapshotSizeFactor = seed % 4 == 0 ? -1 : 0
        options.tickMilliseconds = 2000
        options.initLimit = 1000
        options.syncLimit = 100
        var history = CommittedLog(after: .zero, options: options)
        for proposal in log { history.append(proposal) }
        let all = (1...voters).map { $0 }
        harness = LeaderMachine(
            options: options,
            configuration: try ensemble(voters: all, observers: (0..<observers).map { voters + 1 + $0 }),
            acceptedEpoch: 2, currentEpoch: 2, lastZxid: log[log.count - 1].zxid, history: history, now: now)
        for number in 2...(voters + observers) {
            var learner = ToyLearner(id: server(number), isObserver: number > voters)
            // Nobody is ahead of the leader before the epoch is settled, but anybody may be behind.
            learner.log = Array(log.prefix(roll(log.count + 1)))
            learner.currentEpoch = learner.log.last.map { Int64($0.zxid.epoch) } ?? 0
            learner.acceptedEpoch = learner.currentEpoch
            learners.append(learner)
        }
    }

    var isOver: Bool { end != nil }

    var isSettled: Bool {
        isActive && harness.lastCommitted.counter >= 10 && harness.outstandingCount == 0
            && learners.allSatisfy { $0.isUpToDate && $0.committed == harness.lastCommitted }
            && learners.allSatisfy { $0.log == log }
    }

    var state: String {
        "\(harness.phase), \(harness.lastCommitted) of \(harness.lastProposed); "
            + learners.map { "\($0.id): \($0.log.last?.zxid ?? .zero), \($0.committed)" }.joined(separator: ", ")
    }

    private mutating func roll(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    // MARK: One step

    mutating func step(faults: Bool) throws {
        clock += 1
        let index = roll(learners.count)
        switch roll(faults ? 40 : 36) {
        case 0..<10: deliverToLearner(index)
        case 10..<20: deliverToLeader(index)
        case 20..<23: learners[index].acknowledge(some: roll(4))
        case 23..<26: carryOut()
        case 26..<28:
            synced = min(log.count, synced + roll(4))
            if synced > 0 { harness.synced(through: log[synced - 1].zxid, now: now) }
        case 28..<31: if let link = learners[index].link { harness.drained(link, now: now) }
        case 31: connect(index)
        case 32..<34: if faults || harness.lastProposed.counter < 10 { propose() }
        case 34..<36:
            now = now.advanced(byMilliseconds: Int64(roll(faults ? 20 : 100)))
            harness.tick(now: now)
        default: if roll(12) == 0 { disconnect(index) }
        }
        for action in harness.takeActions() { take(action) }
        check()
    }

    private mutating func propose() {
        guard isActive, let next = harness.nextZxid, harness.outstandingCount < 20 else { return }
        let proposals = (0..<UInt32(1 + roll(3))).map { offset in
            proposal(next.epoch, next.counter + offset, data: [UInt8](repeating: 1, count: roll(30)))
        }
        log += proposals
        harness.propose(proposals, now: now)
    }

    private mutating func connect(_ index: Int) {
        guard learners[index].link == nil else { return }
        links += 1
        let link = LinkID(rawValue: links)
        harness.learnerConnected(link, now: now)
        learners[index].connected(link)
    }

    private mutating func disconnect(_ index: Int) {
        guard let link = learners[index].link else { return }
        learners[index].disconnected()
        harness.learnerClosed(link, now: now)
    }

    private mutating func deliverToLearner(_ index: Int) {
        guard !learners[index].incoming.isEmpty else { return }
        let count = 1 + roll(min(2000, learners[index].incoming.count))
        let bytes = Array(learners[index].incoming.prefix(count))
        learners[index].incoming.removeFirst(count)
        if let problem = learners[index].receive(bytes) { problems.append(problem) }
    }

    private mutating func deliverToLeader(_ index: Int) {
        guard let link = learners[index].link, !learners[index].outgoing.isEmpty else { return }
        let count = 1 + roll(min(100, learners[index].outgoing.count))
        let bytes = Array(learners[index].outgoing.prefix(count))
        learners[index].outgoing.removeFirst(count)
        harness.received(bytes.span, on: link, now: now)
    }

    // MARK: The leader's own server

    private mutating func take(_ action: LeaderAction) {
        switch action {
        case .send(let link, let bytes), .sendLater(let link, let bytes):
            if let index = index(of: link) { learners[index].incoming += bytes }
        case .close(let link, _): if let index = index(of: link) { learners[index].disconnected() }
        case .activate: isActive = true
        case .stepDown(let reason): end = reason
        case .saveAcceptedEpoch, .saveCurrentEpoch, .needSnapshot, .needHistory: orders.append(action)
        default: break
        }
    }

    private func index(of link: LinkID) -> Int? { learners.firstIndex { $0.link == link } }

    private mutating func carryOut() {
        guard !orders.isEmpty else { return }
        switch orders.removeFirst() {
        case .saveAcceptedEpoch: harness.savedAcceptedEpoch(now: now)
        case .saveCurrentEpoch: harness.savedCurrentEpoch(now: now)
        case .needSnapshot(let link):
            let zxid = harness.lastCommitted
            harness.snapshotReady(link, zxid: zxid, now: now)
            for action in harness.takeActions() { take(action) }
            // The raw snapshot is not modelled: the learner gets the history at once, as soon as it reads of it.
            if let index = index(of: link) { learners[index].snapshots.append(log.filter { $0.zxid <= zxid }) }
            harness.snapshotSent(link, now: now)
        case .needHistory(let link, let after, let through, _):
            let first = log.lastIndex { $0.zxid <= after }
            let part = first.map { log[$0...].prefix(2 + roll(6)).filter { $0.zxid <= through } }
            harness.historyRead(link, proposals: part, now: now)
        default: break
        }
    }

    private mutating func check() {
        let committed = harness.lastCommitted
        guard committed.epoch == 3, committed.counter > 0, problems.isEmpty else { return }
        var holders = synced > 0 && log[synced - 1].zxid >= committed ? 1 : 0
        for learner in learners where !learner.isObserver && (learner.durable >= committed) { holders += 1 }
        if holders <= voterCount / 2 { problems.append("step \(clock): \(committed) is in \(holders) logs only") }
    }
}

import ConclaveConsensus
import ConclaveCore
import Testing

/// Whole ensembles electing over a network with faults.
struct ElectionNetworkTests {
    /// What a server keeps through a crash, and how far it got with its leader; a model of what follows an election.
    private struct Member {
        var acceptedEpoch: Int64 = 0
        var currentEpoch: Int64 = 0
        var history: [Int64] = []
        /// The epoch in which it is in step with the leader it settled on.
        var joined: Int64?
        var settledAt = Instant.start
        var isUp = true

        func isAhead(of other: Member) -> Bool {
            currentEpoch != other.currentEpoch
                ? currentEpoch > other.currentEpoch : (history.last ?? 0) > (other.history.last ?? 0)
        }
    }

    /// An ensemble with a seed.
    private struct Run {
        var network: ElectionNetwork
        var members: [Int64: Member] = [:]
        var epochs: [Int64: Int64] = [:]
        var acknowledged: [Int64] = []
        /// Whether faults are over.
        var isHealing = false
        let ids: [Int64]

        init(_ text: String, seed: UInt64) throws {
            let configuration = try EnsembleConfiguration(text: text)
            network = ElectionNetwork(configuration: configuration, seed: seed)
            ids = configuration.members.map(\.id.rawValue)
            for id in ids { members[id] = Member() }
        }

        mutating func start(_ id: Int64) {
            members[id]?.isUp = true
            members[id]?.joined = nil
            network.start(id, zxid: members[id]?.history.last ?? 0, epoch: members[id]?.currentEpoch ?? 0)
        }

        mutating func kill(_ id: Int64) {
            members[id]?.isUp = false
            members[id]?.joined = nil
            network.kill(id)
        }

        mutating func look(_ id: Int64) {
            members[id]?.joined = nil
            network.look(id, zxid: members[id]?.history.last ?? 0, epoch: members[id]?.currentEpoch ?? 0)
        }

        /// Lets time go by, and every 10 ms lets leaders and followers do what follows an election.
        mutating func run(milliseconds: Int64) throws {
            let end = network.now.advanced(byMilliseconds: milliseconds)
            while network.now < end {
                network.run(until: network.now.advanced(byMilliseconds: 10))
                for decision in network.takeDecided() { members[decision.server]?.settledAt = network.now }
                for id in ids where members[id]?.isUp == true { try step(id) }
            }
        }

        private mutating func step(_ id: Int64) throws {
            guard let leader = network.leader(of: id) else { return }
            let waited = network.now.milliseconds(since: members[id]!.settledAt)
            if leader != id {
                let isAlive = network.leader(of: leader) == leader && !network.isCut(id, leader)
                if !isAlive, waited > 300 || members[id]!.joined != nil { look(id) }
                return
            }
            let followers = ids.filter { $0 != id && network.leader(of: $0) == id && !network.isCut($0, id) }
            if let epoch = members[id]!.joined {
                for follower in followers where members[follower]!.joined == nil { join(follower, to: id, epoch) }
                lead(id, with: followers.filter { members[$0]!.joined == epoch }, epoch)
            } else {
                try discover(id, with: followers, waited: waited)
            }
        }

        /// The leader asks for a new epoch; who is ahead of it does not follow.
        private mutating func discover(_ id: Int64, with followers: [Int64], waited: Int64) throws {
            for follower in followers where members[follower]!.isAhead(of: members[id]!) { look(follower) }
            let quorum = followers.filter { network.leader(of: $0) == id } + [id]
            guard network.configuration.isQuorum({ quorum.contains($0.rawValue) }) else {
                if waited > 600 { look(id) }
                return
            }
            let epoch = quorum.map { members[$0]!.acceptedEpoch }.max()! + 1
            #expect(epochs[epoch] == nil, "two leaders in epoch \(epoch)")
            epochs[epoch] = id
            let history = members[id]!.history
            #expect(acknowledged.allSatisfy(history.contains), "a leader without an acknowledged write")
            members[id]!.acceptedEpoch = epoch
            members[id]!.currentEpoch = epoch
            members[id]!.joined = epoch
            network.updateVote(id, epoch: epoch)
            for follower in quorum where follower != id { join(follower, to: id, epoch) }
        }

        private mutating func join(_ follower: Int64, to leader: Int64, _ epoch: Int64) {
            guard members[follower]!.acceptedEpoch <= epoch else { return look(follower) }
            members[follower]!.acceptedEpoch = epoch
            members[follower]!.currentEpoch = epoch
            members[follower]!.history = members[leader]!.history
            members[follower]!.joined = epoch
            network.updateVote(follower, epoch: epoch)
        }

        /// One write, which reaches some of the followers; without a quorum of them the leader gives up.
        private mutating func lead(_ id: Int64, with followers: [Int64], _ epoch: Int64) {
            guard network.configuration.isQuorum({ $0.rawValue == id || followers.contains($0.rawValue) }) else {
                return look(id)
            }
            let counter = members[id]!.history.filter { $0 >> 32 == epoch }.count + 1
            let zxid = epoch << 32 | Int64(counter)
            // A follower that misses a write leaves: order is kept within a connection.
            let reached = followers.filter { _ in isHealing || Int.random(in: 0..<20, using: &network.random) > 0 }
            for server in [id] + reached { members[server]!.history.append(zxid) }
            if network.configuration.isQuorum({ $0.rawValue == id || reached.contains($0.rawValue) }) {
                acknowledged.append(zxid)
            }
            for server in followers where !reached.contains(server) { look(server) }
        }

        /// The leader that everybody follows, if there is one.
        var commonLeader: Int64? {
            let leaders = ids.map { network.leader(of: $0) }
            guard let first = leaders[0], leaders.allSatisfy({ $0 == first }) else { return nil }
            return ids.allSatisfy { members[$0]!.joined != nil && members[$0]!.joined == members[first]!.joined }
                ? first : nil
        }

        mutating func fault() {
            let id = ids.randomElement(using: &network.random)!
            switch Int.random(in: 0..<8, using: &network.random) {
            case 0, 1: members[id]!.isUp ? kill(id) : start(id)
            case 2: network.cut(id, ids.randomElement(using: &network.random)!)
            case 3: network.healCuts()
            case 4: if members[id]!.isUp { look(id) }
            case 5: for other in ids where other != id { network.cut(id, other) }
            default: network.resetConnection()
            }
        }
    }

    private static let ensembles = [
        (1...3).map { "server.\($0)=h:1:2\n" }.joined(),
        (1...5).map { "server.\($0)=h:1:2\n" }.joined(),
        (1...4).map { "server.\($0)=h:1:2\n" }.joined() + "server.0=h:1:2:observer\nserver.9=h:1:2:observer\n",
        (1...6).map { "server.\($0)=h:1:2\n" }.joined()
            + "group.1=1:2:3\ngroup.2=4:5:6\nweight.2=0\nweight.5=2\n",
    ]

    @Test(
        "Under faults an epoch has one leader and acknowledged writes stay; after them everybody follows one",
        arguments: 0..<24)
    func faults(seed: Int) throws {
        var run = try Run(Self.ensembles[seed % Self.ensembles.count], seed: UInt64(seed))
        run.network.delay = seed % 3 == 0 ? 1...40 : 1...5
        for id in run.ids.shuffled(using: &run.network.random) {
            run.start(id)
            try run.run(milliseconds: .random(in: 0...300, using: &run.network.random))
        }
        for _ in 0..<25 {
            run.fault()
            try run.run(milliseconds: .random(in: 10...400, using: &run.network.random))
        }
        run.isHealing = true
        run.network.healCuts()
        for id in run.ids where run.members[id]?.isUp == false { run.start(id) }
        var waited = 0
        while run.commonLeader == nil, waited < 12 {
            try run.run(milliseconds: 250)
            waited += 1
        }
        let state = run.ids.map { "\($0): \(run.network.leader(of: $0) as Any) \(run.members[$0]!.joined as Any)" }
        #expect(run.commonLeader != nil, "seed \(seed) after \(waited * 250) ms: \(state)")
        #expect(!run.acknowledged.isEmpty)
    }

    @Test("A killed leader is replaced within ten times the network's delay", arguments: [3, 5, 7])
    func failover(size: Int) throws {
        let text = (1...size).map { "server.\($0)=h:1:2\n" }.joined()
        for seed in 0..<5 as Range<UInt64> {
            var network = ElectionNetwork(configuration: try EnsembleConfiguration(text: text), seed: seed)
            let all = (1...Int64(size)).map { $0 }
            for id in all { network.start(id, zxid: 0, epoch: 0) }
            network.run(until: Instant(milliseconds: 2_000))
            let leader = try #require(network.leader(of: 1))
            #expect(all.allSatisfy { network.leader(of: $0) == leader })
            let killedAt = network.now
            network.kill(leader)
            for id in all where id != leader {
                network.run(until: network.now.advanced(byMilliseconds: 1))
                network.look(id, zxid: 9 - id % 2, epoch: 1)
            }
            let noticedAt = network.now
            network.run(until: network.now.advanced(byMilliseconds: 1_000)) { network in
                all.allSatisfy { $0 == leader || network.leader(of: $0) != nil }
            }
            let leaders = all.filter { $0 != leader }.map { network.leader(of: $0) }
            #expect(leaders.allSatisfy { $0 != nil && $0 == leaders[0] })
            #expect(network.now.milliseconds(since: noticedAt) <= 10, "\(network.now.milliseconds(since: killedAt)) ms")
        }
    }

    @Test("Servers started together agree within a tenth of a second", arguments: 0..<8)
    func coldStart(seed: Int) throws {
        var network = ElectionNetwork(
            configuration: try EnsembleConfiguration(text: Self.ensembles[1]), seed: UInt64(seed))
        network.delay = 1...3
        for id in 1...5 as ClosedRange<Int64> { network.start(id, zxid: 0, epoch: 0) }
        network.run(until: Instant(milliseconds: 100))
        let leaders = (1...5).map { network.leader(of: $0) }
        #expect(leaders.allSatisfy { $0 != nil && $0 == leaders[0] }, "\(leaders)")
    }
}

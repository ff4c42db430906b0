import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// What an electing server learns from the configuration that votes carry, and how changes reach an election.
struct AdoptionTests {
    private static let three = "server.1=h1:1:2\nserver.2=h2:1:2\nserver.3=h3:1:2\n"
    private var now = Instant(milliseconds: 1_000)

    private func machine(reconfigEnabled: Bool = true, pending: String? = nil) throws -> ElectionMachine {
        var options = EnsembleOptions(myID: ServerID(rawValue: 1))
        options.reconfigEnabled = reconfigEnabled
        var machine = ElectionMachine(
            options: options, configuration: try EnsembleConfiguration(text: Self.three + "version=5"),
            pending: try pending.map { text throws(EnsembleConfigurationError) in try EnsembleConfiguration(text: text)
            })
        machine.start(zxid: Zxid(rawValue: 7), currentEpoch: 0, now: now)
        _ = machine.takeActions()
        return machine
    }

    private func vote(
        for leader: Int64, round: Int64 = 1, _ state: PeerState = .looking, configuration text: String
    ) -> ElectionNotification {
        ElectionNotification(
            state: state, leader: ServerID(rawValue: leader), zxid: Zxid(rawValue: 7), round: round, peerEpoch: 0,
            configuration: Array(text.utf8))
    }

    @Test("A newer configuration is adopted and the election begins anew, with the servers of that configuration")
    func adopts() throws {
        var machine = try machine()
        let newer = try EnsembleConfiguration(text: Self.three + "server.4=h4:1:2\nversion=6")
        machine.received(vote(for: 3, configuration: newer.text), from: ServerID(rawValue: 3), now: now)
        let actions = machine.takeActions()
        #expect(actions.first == .adopt(newer))
        #expect(machine.round == 2)
        let told = actions.compactMap { if case .send(_, let server) = $0 { server.rawValue } else { nil } }
        #expect(told == [2, 3, 4])
        guard case .send(let message, _) = actions.last else { return #expect(Bool(false)) }
        #expect(message.configuration == Array(newer.text.utf8))
    }

    @Test("A newer version of the same servers is adopted without beginning anew")
    func adoptsVersion() throws {
        var machine = try machine()
        let newer = try EnsembleConfiguration(text: Self.three + "version=6")
        machine.received(vote(for: 1, configuration: newer.text), from: ServerID(rawValue: 3), now: now)
        #expect(machine.takeActions().contains(.adopt(newer)))
        #expect(machine.round == 1)
        #expect(machine.configuration == newer)
    }

    @Test(
        "Older, equal, unreadable and empty configurations are not adopted",
        arguments: ["server.1=h1:1:2\nversion=4", "server.9=h1:1:2\nversion=5", "rubbish", "", "version=7"])
    func refuses(text: String) throws {
        var machine = try machine()
        machine.received(vote(for: 3, configuration: text), from: ServerID(rawValue: 3), now: now)
        #expect(!machine.takeActions().contains { if case .adopt = $0 { true } else { false } })
        #expect(machine.configuration.version == 5)
    }

    @Test("Nothing is adopted from strangers, with reconfiguration off, or once a leader is found")
    func onlyWhenAllowed() throws {
        let newer = Self.three + "version=6"
        var machine = try machine()
        machine.received(vote(for: 3, configuration: newer), from: ServerID(rawValue: 9), now: now)
        #expect(machine.configuration.version == 5)
        var fixed = try self.machine(reconfigEnabled: false)
        fixed.received(vote(for: 3, configuration: newer), from: ServerID(rawValue: 3), now: now)
        #expect(fixed.configuration.version == 5)
        for server in [2, 3] as [Int64] {
            let settled = vote(for: 3, server == 3 ? .leading : .following, configuration: machine.configuration.text)
            machine.received(settled, from: ServerID(rawValue: server), now: now)
        }
        #expect(machine.state == .following)
        machine.received(vote(for: 3, configuration: newer), from: ServerID(rawValue: 3), now: now)
        #expect(machine.configuration.version == 5)
    }

    @Test("While a change is pending both configurations must agree, and the voters of both are told")
    func bothQuorums() throws {
        var machine = try machine(pending: "server.1=h1:1:2\nserver.4=h4:1:2\nserver.5=h5:1:2\nversion=6")
        machine.start(zxid: Zxid(rawValue: 7), currentEpoch: 0, now: now)
        #expect(machine.takeActions().count == 4)
        for server in [2, 3, 4, 5] as [Int64] {
            machine.peerReachable(ServerID(rawValue: server), server == 2 || server == 4, now: now)
        }
        let text = machine.configuration.text
        machine.received(vote(for: 1, round: 2, configuration: text), from: ServerID(rawValue: 2), now: now)
        #expect(machine.state == .looking)
        machine.received(vote(for: 1, round: 2, configuration: text), from: ServerID(rawValue: 4), now: now)
        #expect(machine.state == .leading)
    }

    @Test("A server that another configuration makes an observer observes")
    func roleChanges() throws {
        var machine = try machine()
        let next = try EnsembleConfiguration(text: "server.1=h1:1:2:observer\nserver.2=h2:1:2\nserver.3=h3:1:2")
        machine.reconfigured(next, pending: nil, now: now)
        for server in [2, 3] as [Int64] {
            machine.received(
                vote(for: 3, round: 9, server == 3 ? .leading : .following, configuration: next.text),
                from: ServerID(rawValue: server), now: now)
        }
        #expect(machine.state == .observing)
    }
}

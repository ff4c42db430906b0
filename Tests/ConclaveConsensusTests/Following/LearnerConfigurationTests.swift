import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// Changes of the ensemble as learners see them. The configuration that holds has version 0 and three participants.
struct LearnerConfigurationTests {
    private static let version: Int64 = 0x2_0000_0001

    private func talking(role: EnsembleMember.Role = .participant, isEnabled: Bool = true) -> LearnerConversation {
        LearnerConversation(role: role) { $0.reconfigEnabled = isEnabled }
    }

    private func data(_ configuration: EnsembleConfiguration) -> [UInt8] { Array(configuration.text.utf8) }

    /// Up to `UPTODATE`, NEWLEADER carrying a configuration.
    private func synchronise(_ talk: inout LearnerConversation, with configuration: [UInt8]?) -> [String] {
        talk.discover()
        talk.receive(.diff, 0x1_0000_0005)
        talk.receive(.newLeader, 0x2_0000_0000, data: configuration)
        talk.machine.savedCurrentEpoch(now: talk.now)
        talk.receive(.upToDate)
        return talk.did()
    }

    private func propose(_ configuration: EnsembleConfiguration, to talk: inout LearnerConversation) {
        let change = Change.reconfigure(path: "/zookeeper/config", data: data(configuration), version: -1)
        talk.receive(.proposal, Self.version, data: LearnerConversation.proposal(Self.version, change).body)
    }

    // MARK: NEWLEADER

    @Test("The leader's configuration is adopted with UPTODATE")
    func newer() {
        var talk = talking()
        let next = LearnerConversation.configuration(version: 5)
        #expect(
            synchronise(&talk, with: data(next)) == [
                "announced 5", "save current 2", "adopt 5", "serve 2", "ack 0x200000000", "ack 0x200000000",
            ])
        #expect(talk.machine.configuration == next)
    }

    @Test("One that is not newer, or missing, changes nothing")
    func notNewer() {
        let expected = ["save current 2", "serve 2", "ack 0x200000000", "ack 0x200000000"]
        for text in [data(LearnerConversation.configuration(version: 0)), nil, [], [1]] {
            var talk = talking()
            #expect(synchronise(&talk, with: text) == expected)
        }
        var talk = talking(isEnabled: false)
        #expect(synchronise(&talk, with: data(LearnerConversation.configuration(version: 5))) == expected)
    }

    @Test("Another role, or another place of the leader, means another election")
    func change() {
        let adopted = ["announced 5", "save current 2", "adopt 5", "look again"]
        var talk = talking()
        let asObserver = LearnerConversation.configuration(version: 5, [.observer, .participant, .participant])
        #expect(synchronise(&talk, with: data(asObserver)) == adopted)

        talk = talking(role: .observer)
        #expect(synchronise(&talk, with: data(LearnerConversation.configuration(version: 5))).last != "look again")

        talk = talking()
        let leaderAsObserver = LearnerConversation.configuration(version: 5, [.participant, .participant, .observer])
        #expect(synchronise(&talk, with: data(leaderAsObserver)) == adopted)

        talk = talking()
        #expect(
            synchronise(&talk, with: data(LearnerConversation.configuration(version: 5, [.participant, .participant])))
                == adopted)

        talk = talking()
        let text = data(LearnerConversation.configuration(version: 5))
        let moved = Array(String(decoding: text, as: UTF8.self).replacing("10.0.0.3:2888", with: "10.0.0.3:2889").utf8)
        #expect(synchronise(&talk, with: moved) == adopted)
    }

    @Test("A configuration that cannot be read ends it, and nothing is saved")
    func unreadable() {
        var talk = talking()
        talk.discover()
        talk.receive(.diff, 0x1_0000_0005)
        talk.receive(.newLeader, 0x2_0000_0000, data: Array("server.x=1".utf8))
        #expect(talk.did() == ["look again"])
    }

    // MARK: While serving

    @Test("A proposed configuration is announced, and holds when it is activated")
    func activation() {
        var talk = talking()
        talk.serve()
        let next = LearnerConversation.configuration(
            version: Self.version, [.participant, .participant, .participant, .observer])
        propose(next, to: &talk)
        #expect(talk.did() == ["announced \(Self.version)", "append 0x200000001"])
        talk.receive(.commitAndActivate, Self.version, data: Activation(leader: ServerID(rawValue: 3), body: nil).data)
        #expect(talk.did() == ["commit 0x200000001", "adopt \(Self.version)"])
        #expect(talk.machine.configuration == next)
        #expect(talk.machine.isServing)
    }

    @Test("Another designated leader means another election, after the commit")
    func otherLeader() {
        var talk = talking()
        talk.serve()
        propose(LearnerConversation.configuration(version: Self.version, [.participant, .participant]), to: &talk)
        _ = talk.did()
        talk.receive(.commitAndActivate, Self.version, data: Activation(leader: ServerID(rawValue: 2), body: nil).data)
        #expect(talk.did() == ["commit 0x200000001", "adopt \(Self.version)", "look again"])
    }

    @Test("A follower that is in no list any more goes on following")
    func removed() throws {
        var talk = talking()
        talk.serve()
        let next = try EnsembleConfiguration(
            text: "server.2=10.0.0.2:2888:3888\nserver.3=10.0.0.3:2888:3888\nversion=200000001")
        propose(next, to: &talk)
        talk.receive(.commitAndActivate, Self.version, data: Activation(leader: ServerID(rawValue: 3), body: nil).data)
        #expect(talk.did().last == "adopt \(Self.version)")
        #expect(talk.machine.isServing)
    }

    @Test("An observer is informed, and leaves when it is to vote")
    func informed() {
        for roles: [EnsembleMember.Role] in [
            [.observer, .participant, .participant], [.participant, .participant, .participant],
        ] {
            var talk = LearnerConversation(
                role: .observer,
                configuration: LearnerConversation.configuration(version: 0, [.observer, .participant, .observer])
            ) { $0.reconfigEnabled = true }
            talk.serve()
            let next = LearnerConversation.configuration(version: Self.version, roles)
            let change = Change.reconfigure(path: "/zookeeper/config", data: data(next), version: -1)
            let body = LearnerConversation.proposal(Self.version, change).body
            talk.receive(
                .informAndActivate, Self.version, data: Activation(leader: ServerID(rawValue: 3), body: body).data)
            var expected = [
                "announced \(Self.version)", "append 0x200000001", "commit 0x200000001", "adopt \(Self.version)",
            ]
            if roles[0] == .participant { expected.append("look again") }
            #expect(talk.did() == expected)
        }
    }

    @Test("A commit without activation leaves the configuration to NEWLEADER")
    func plainCommit() {
        var talk = talking()
        talk.serve()
        propose(LearnerConversation.configuration(version: Self.version), to: &talk)
        talk.commit(Self.version)
        #expect(talk.did() == ["announced \(Self.version)", "append 0x200000001", "commit 0x200000001"])
    }

    @Test("Without reconfiguration these are transactions like any other")
    func disabled() {
        var talk = talking(isEnabled: false)
        talk.serve()
        propose(LearnerConversation.configuration(version: Self.version, [.participant, .participant]), to: &talk)
        talk.receive(.commitAndActivate, Self.version, data: Activation(leader: ServerID(rawValue: 2), body: nil).data)
        #expect(talk.did() == ["append 0x200000001", "commit 0x200000001"])
    }

    @Test("An activation that cannot be read ends it")
    func cut() {
        for kind in [QuorumPacket.Kind.commitAndActivate, .informAndActivate] {
            for data in [nil, [], [0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 3]] as [[UInt8]?] {
                var talk = talking()
                talk.serve()
                talk.receive(kind, Self.version, data: data)
                #expect(talk.did() == ["look again"])
            }
        }
    }
}

import ConclaveConsensus
import ConclaveCore
import Testing

@Suite("Reconfiguration")
struct ReconfigurationTests {
    private let zxid = Zxid(epoch: 3, counter: 7)

    private func configuration(_ text: String) throws -> EnsembleConfiguration { try EnsembleConfiguration(text: text) }

    private var three: EnsembleConfiguration {
        get throws {
            try configuration("server.1=a:1:2;9\nserver.2=b:1:2;9\nserver.3=c:1:2;9\nversion=200000000")
        }
    }

    private var hierarchical: EnsembleConfiguration {
        get throws {
            try configuration(
                "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\ngroup.1=1:2:3\nweight.2=2\nversion=200000000")
        }
    }

    private func changed(
        _ old: EnsembleConfiguration, standaloneEnabled: Bool = true, _ change: Reconfiguration
    ) throws(Reconfiguration.Refusal) -> EnsembleConfiguration {
        try change.applied(to: old, lastSeen: old, at: zxid, standaloneEnabled: standaloneEnabled)
    }

    private func refusal(
        _ old: EnsembleConfiguration, standaloneEnabled: Bool = true, _ change: Reconfiguration
    ) -> Reconfiguration.Refusal? {
        do {
            _ = try changed(old, standaloneEnabled: standaloneEnabled, change)
            return nil
        } catch {
            return error
        }
    }

    // MARK: Incremental

    @Test("Servers leave, come and change; the version is the transaction's zxid")
    func incremental() throws {
        let change = Reconfiguration(
            joining: "server.5=e:1:2:observer;9, server.2=f:3:4;127.0.0.1:9", leaving: "3, 8,,",
            expectedVersion: 0x2_0000_0000)
        let result = try changed(three, change)
        #expect(
            result.text == "server.1=a:1:2:participant;0.0.0.0:9\nserver.2=f:3:4:participant;127.0.0.1:9\n"
                + "server.5=e:1:2:observer;0.0.0.0:9\nversion=300000007")
        #expect(try changed(three, Reconfiguration()).hasSameMembers(as: three))
    }

    @Test("A server that leaves and joins in one change is replaced; only the end of the key matters")
    func replaced() throws {
        let result = try changed(three, Reconfiguration(joining: "3=d:1:2;9", leaving: "3"))
        #expect(result.member(ServerID(rawValue: 3))?.addresses[0].host == "d")
        let again = try changed(three, Reconfiguration(joining: "server.3=c:5:6;9,server.3=c:7:8;9"))
        #expect(again.member(ServerID(rawValue: 3))?.addresses[0].quorumPort == 7)
    }

    @Test(
        "A server that joins names three ports, and nothing else is tolerated",
        arguments: [
            "server.4=d:1:2", "server.4=d:1;9", "server.4=d", "server.4", "server.x=d:1:2;9", "server.4=d:1:2;9=x",
            "server.4=d:1:1;9", "server.4=d:1:70000;9", "server.4=d:1:2:chief;9", "=d:1:2;9", "server.4=",
        ])
    func badJoiners(text: String) throws {
        #expect(try refusal(three, Reconfiguration(joining: text))?.code == .badArguments)
    }

    @Test("Servers that leave are named by their ids", arguments: ["server.3", "x", "1;2", "99999999999999999999"])
    func badLeavers(text: String) throws {
        #expect(try refusal(three, Reconfiguration(leaving: text))?.code == .badArguments)
    }

    @Test(
        "Two servers cannot have one address",
        arguments: ["a:1:5;6", "a:5:1;6", "a:2:5;6", "x:5:6;a:2", "x:5:6;a:1"])
    func addresses(specification: String) throws {
        let refused = try refusal(three, Reconfiguration(joining: "server.4=\(specification)"))
        #expect(refused?.code == .badArguments && refused?.message.contains("belongs to server 1") == true)
        // Not if the other one goes, or is the same.
        #expect(try refusal(three, Reconfiguration(joining: "server.4=\(specification)", leaving: "1")) == nil)
        #expect(try refusal(three, Reconfiguration(joining: "server.1=\(specification)")) == nil)
    }

    @Test("Addresses that every machine has do not count")
    func localAddresses() throws {
        for host in ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]"] {
            let joining = "server.4=\(host):1:2;9,server.5=\(host):1:2;9"
            #expect(try refusal(three, Reconfiguration(joining: joining)) == nil)
        }
    }

    @Test("Hierarchical quorums change only as a whole")
    func hierarchies() throws {
        for change in [Reconfiguration(leaving: "3"), Reconfiguration(joining: "server.4=d:1:2;9"), Reconfiguration()] {
            #expect(try refusal(hierarchical, change)?.code == .badArguments)
        }
        let members = "server.1=a:1:2,server.2=b:1:2,group.1=1,group.2=2,weight.2=0"
        let result = try changed(hierarchical, Reconfiguration(newMembers: members))
        #expect(result.groups.count == 2 && result.voters.count == 2)
        let majority = try changed(hierarchical, Reconfiguration(newMembers: "server.1=a:1:2\nserver.2=b:1:2"))
        #expect(!majority.isHierarchical)
    }

    // MARK: All at once

    @Test("New members replace all others; commas and newlines separate them, blanks do not matter")
    func full() throws {
        let members = " server.7 = g:1:2 ,server.8=h:1:2:observer\n\nserver.9=i:1:2;9,version=5"
        let result = try changed(three, Reconfiguration(joining: "nonsense", leaving: "x", newMembers: members))
        #expect(
            result.text == "server.7=g:1:2:participant\nserver.8=h:1:2:observer\n"
                + "server.9=i:1:2:participant;0.0.0.0:9\nversion=300000007")
    }

    @Test(
        "Members that make no configuration are refused",
        arguments: [
            "", ",", "server.1=a", "server.1=a:1:2,tickTime=2", "server.1=a:1:2,server.2=b:1:2,group.1=1",
            "server.1=a:1:2,server.2=b:1:2,group.1=1:2,group.2=2", "server.1=a:1:2,server.1=b:1:2", "server.1:a",
            "server.1=a:1:2:observer,server.2=b:1:2:observer", "server.1=a:1:2,server.2=b:1:2,group.1=1:2:3",
            "server.1=a:1:2,server.2=b:1:2,group.1=1:2,weight.1=0,weight.2=0",
        ])
    func badMembers(text: String) throws {
        #expect(try refusal(three, standaloneEnabled: false, Reconfiguration(newMembers: text))?.code == .badArguments)
    }

    // MARK: Rules for all

    @Test("Enough voters must be left: two, or one if no server may stand alone")
    func voters() throws {
        #expect(try refusal(three, Reconfiguration(leaving: "3")) == nil)
        #expect(try refusal(three, Reconfiguration(leaving: "2,3"))?.code == .badArguments)
        #expect(try refusal(three, standaloneEnabled: false, Reconfiguration(leaving: "2,3")) == nil)
        let none = Reconfiguration(leaving: "1,2,3")
        #expect(try refusal(three, standaloneEnabled: false, none)?.code == .badArguments)
        let observers = Reconfiguration(joining: "server.2=b:1:2:observer;9,server.3=c:1:2:observer;9")
        #expect(try refusal(three, observers)?.code == .badArguments)
    }

    @Test("A change meant for another version is refused, before anything else about it")
    func version() throws {
        let change = Reconfiguration(newMembers: "nonsense", expectedVersion: 5)
        #expect(try refusal(three, change)?.code == .badVersion)
        #expect(try refusal(three, change)?.message == "the version is 200000000, the change is meant for 5")
    }

    @Test("One change at a time")
    func underWay() throws {
        let change = Reconfiguration(leaving: "3", expectedVersion: 5)
        let old = try three
        do {
            _ = try change.applied(
                to: old, lastSeen: old.with(version: 0x2_0000_0009), at: zxid, standaloneEnabled: true)
            Issue.record("must be refused")
        } catch {
            #expect(error.code == .reconfigurationInProgress)
        }
    }

    @Test("A quorum of the new voters must have caught up")
    func quorum() throws {
        let result = try changed(three, Reconfiguration(joining: "server.4=d:1:2;9,server.5=e:1:2;9"))
        let asked = { (ids: [Int64]) throws(Reconfiguration.Refusal) in
            try Reconfiguration.requireQuorum(of: result) { ids.contains($0.rawValue) }
        }
        try asked([1, 2, 3])
        do {
            try asked([1, 2])
            Issue.record("must be refused")
        } catch {
            #expect(error.code == .newConfigurationNoQuorum)
        }
    }

    @Test("Long and hostile texts are refused, quickly")
    func hostile() throws {
        let long = String(repeating: "9,", count: 300_000)
        #expect(try refusal(three, Reconfiguration(leaving: long))?.code == .badArguments)
        #expect(try refusal(three, Reconfiguration(newMembers: long))?.code == .badArguments)
        let many = (10...1100).map { "server.\($0)=h\($0):1:2;9" }.joined(separator: ",")
        #expect(try refusal(three, Reconfiguration(joining: many))?.code == .badArguments)
        #expect(try refusal(three, Reconfiguration(newMembers: many))?.code == .badArguments)
    }

    // MARK: Consequences

    @Test("The leader stays as long as it votes and is reached where it was")
    func leaderStays() throws {
        let old = try three
        for (id, stays) in [(1, true), (2, false), (3, false), (4, false)] as [(Int64, Bool)] {
            let new = try changed(
                old, Reconfiguration(joining: "server.2=b:5:2;9,server.1=a:1:7;8,server.4=d:1:2;9", leaving: "3"))
            #expect(new.keepsLeader(ServerID(rawValue: id), after: old) == stays)
        }
        let observer = try changed(old, Reconfiguration(joining: "server.1=a:1:2:observer;9"))
        #expect(!observer.keepsLeader(ServerID(rawValue: 1), after: old))
    }

    @Test("A leader that goes is followed by a voter that has acknowledged the most")
    func designated() throws {
        let old = try three
        let ids = { (numbers: [Int64]) in numbers.map(ServerID.init(rawValue:)) }
        let leader = ServerID(rawValue: 3)
        let new = try changed(
            old, Reconfiguration(joining: "server.4=d:1:2;9,server.5=e:1:2:observer;9", leaving: "3"))
        let chosen = { (acknowledged: [[Int64]]) in
            new.designatedLeader(after: old, leader: leader, acknowledged: acknowledged.map(ids)).rawValue
        }
        #expect(chosen([[1, 2, 3, 4, 5]]) == 1)
        #expect(chosen([[4, 2, 3]]) == 2)
        #expect(chosen([[1, 2, 4], [2, 4], [3, 4]]) == 4)
        #expect(chosen([[1, 2, 4], [2, 4], [3, 5], [1]]) == 2)
        #expect(chosen([[3]]) == 3 && chosen([]) == 3)
        #expect(old.with(version: 9).designatedLeader(after: old, leader: leader, acknowledged: []) == leader)
    }

    @Test("Whoever changes its role or loses its leader looks for one again")
    func elections() throws {
        let old = try three
        let leader = ServerID(rawValue: 1)
        let forced = { (change: Reconfiguration, id: Int64, designated: Int64?) throws in
            try self.changed(old, change).forcesElection(
                of: ServerID(rawValue: id), leader: leader, designated: designated.map(ServerID.init(rawValue:)),
                after: old)
        }
        let demoted = Reconfiguration(joining: "server.2=b:1:2:observer;9,server.4=d:1:2;9")
        #expect(try forced(demoted, 2, 1) && !forced(demoted, 3, 1) && !forced(demoted, 4, 1))
        #expect(try forced(demoted, 3, 4) && !forced(demoted, 3, nil))
        let moved = Reconfiguration(joining: "server.1=a:5:2;9")
        #expect(try forced(moved, 3, nil) && forced(moved, 3, 2))
        // A removed server goes on as a participant without a vote.
        #expect(try !forced(Reconfiguration(leaving: "3"), 3, 1))
        // The same ensemble under a new version, and an older one, change nothing.
        #expect(try !forced(Reconfiguration(), 3, 2))
        #expect(try !three.forcesElection(of: leader, leader: leader, designated: nil, after: old.with(version: .max)))
    }
}

import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// Elections whose outcome is known from the reference.
struct WorkedElectionTests {
    @Test("Five servers with empty data, started one after another, are led by the third")
    func oneAfterAnother() throws {
        var table = try ElectionTable(voters: 5)
        table.start(1)
        table.wait(3_000)
        #expect(table.leader(of: 1) == nil)
        table.start(2)
        table.wait(3_000)
        #expect(table.leader(of: 1) == nil && table.leader(of: 2) == nil)
        table.start(3)
        table.wait(1_000)
        #expect((1...3).allSatisfy { table.leader(of: $0) == 3 })
        table.activate(3, epoch: 1)
        table.start(4)
        table.wait(1_000)
        table.start(5)
        table.wait(1_000)
        #expect((1...5).allSatisfy { table.leader(of: $0) == 3 })
        let states = (1...5).map { table.state(of: $0) }
        #expect(states == [.following, .following, .leading, .following, .following])
    }

    @Test("Of four servers whose leader dies the greatest id among the longest histories leads")
    func leaderDies() throws {
        var table = try ElectionTable(voters: 4)
        table.start(1, 2, 4, zxid: 8, epoch: 1)
        table.wait(1_000)
        #expect(table.leader(of: 4) == 4)
        table.kill(4)
        for (server, zxid) in [(1, 8), (2, 8)] as [(Int64, Int64)] { table.look(server, zxid: zxid, epoch: 1) }
        table.deliver()
        table.start(3, zxid: 7, epoch: 1)
        table.wait(1_000)
        #expect([1, 2, 3].allSatisfy { table.leader(of: $0) == 2 })
        #expect(table.state(of: 2) == .leading)
    }

    @Test("Of three servers started together the greatest id leads")
    func together() throws {
        var table = try ElectionTable(voters: 3)
        table.start(1, 2, 3)
        #expect((1...3).allSatisfy { table.leader(of: $0) == 3 })
    }

    @Test("Two of three settle before the third is heard; it follows")
    func thirdIsLate() throws {
        var table = try ElectionTable(voters: 3)
        table.start(1, 2)
        table.wait(4_000)
        table.start(3)
        table.wait(1_000)
        #expect((1...3).allSatisfy { table.leader(of: $0) == 2 })
    }

    @Test("A newer epoch is worth more than a longer history")
    func epochBeatsZxid() throws {
        var table = try ElectionTable(voters: 3)
        table.silent = [1, 2, 3]
        table.start(1, zxid: 0x3_0000_0002, epoch: 3)
        table.start(2, zxid: 0x3_0000_0001, epoch: 4)
        table.start(3, zxid: 0x3_0000_0005, epoch: 3)
        table.silent = []
        table.wait(1_000)
        #expect((1...3).allSatisfy { table.leader(of: $0) == 2 })
    }

    @Test("A server of weight 0 never leads, whatever it holds")
    func weightZero() throws {
        var table = try ElectionTable(
            "server.1=h:1:2\nserver.2=h:1:2\nserver.3=h:1:2\ngroup.1=1:2:3\nweight.3=0")
        table.silent = [3]
        table.start(3, zxid: 9, epoch: 9)
        table.start(1, 2)
        table.silent = []
        table.wait(1_000)
        #expect((1...3).allSatisfy { table.leader(of: $0) == 2 })
    }

    @Test("A server that is a quorum alone leads at once")
    func heavyServer() throws {
        var table = try ElectionTable(
            "server.1=h:1:2\nserver.2=h:1:2\nserver.3=h:1:2\ngroup.1=1:2:3\nweight.1=3")
        table.start(1)
        table.wait(250)
        #expect(table.leader(of: 1) == 1)
        table.start(2, 3)
        table.wait(1_000)
        #expect((1...3).allSatisfy { table.leader(of: $0) == 1 })
    }

    @Test("Three groups: five servers in one group and a half do not elect, two in two groups do")
    func groups() throws {
        var table = try ElectionTable(
            (1...9).map { "server.\($0)=h:1:2\n" }.joined() + "group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9")
        table.start(1, 2, 3, 4)
        table.wait(1_000)
        #expect(table.leader(of: 4) == nil)
        table.start(5)
        table.wait(1_000)
        #expect([1, 2, 3, 4, 5].allSatisfy { table.leader(of: $0) == 5 })
    }

    @Test("An observer learns the leader from the voters and its own vote never counts")
    func observer() throws {
        var table = try ElectionTable("server.1=h:1:2\nserver.2=h:1:2\nserver.3=h:1:2\nserver.9=h:1:2:observer")
        table.start(1)
        table.start(9, zxid: 99, epoch: 99)
        table.wait(1_000)
        #expect(table.leader(of: 1) == nil && table.leader(of: 9) == nil)
        table.start(2)
        table.wait(200)
        #expect([1, 2].allSatisfy { table.leader(of: $0) == 2 })
        // It asks again after 200, 400, 800 ms.
        table.wait(800)
        #expect(table.leader(of: 9) == 2)
        #expect(table.state(of: 9) == .observing)
    }

    @Test("A server that the configuration does not list follows without a vote")
    func stranger() throws {
        var table = try ElectionTable(voters: 3)
        table.start(7, zxid: 99, epoch: 99)
        table.start(1, 2, 3)
        table.wait(400)
        #expect((1...3).allSatisfy { table.leader(of: $0) == 3 })
        #expect(table.leader(of: 7) == 3)
        #expect(table.state(of: 7) == .following)
    }

    @Test("One voter elects itself at once")
    func alone() throws {
        var table = try ElectionTable(voters: 1)
        table.start(1)
        #expect(table.state(of: 1) == .leading)
    }

    @Test("A killed leader is replaced without waiting, in a handful of messages")
    func quickFailover() throws {
        for first in [1, 2] as [Int64] {
            var table = try ElectionTable(voters: 3)
            table.start(1, 2, 3)
            table.activate(3, epoch: 1)
            table.kill(3)
            let before = (table.messages, table.now)
            table.look(first, zxid: 5, epoch: 1)
            table.deliver()
            table.look(3 - first, zxid: 5, epoch: 1)
            table.deliver()
            #expect(table.leader(of: 1) == 2 && table.leader(of: 2) == 2)
            #expect(table.now == before.1)
            #expect(table.messages - before.0 <= 8)
        }
    }

    @Test("The leader of five is killed and the survivors notice one after another", arguments: [0, 1, 2, 3])
    func quickFailoverOfFive(rotation: Int) throws {
        var table = try ElectionTable(voters: 5)
        table.start(1, 2, 3, 4, 5)
        table.activate(5, epoch: 1)
        table.kill(5)
        for index in 0..<4 {
            let server = Int64((index + rotation) % 4 + 1)
            table.look(server, zxid: server == 2 ? 9 : 8, epoch: 1)
            table.deliver()
        }
        table.wait(25)
        let leaders = (1...4).map { table.leader(of: $0) }
        #expect(leaders == [2, 2, 2, 2] || leaders.allSatisfy { $0 != nil && $0 == leaders[0] })
    }

    @Test("A candidate that dies during the election is not elected")
    func candidateDies() throws {
        var table = try ElectionTable(voters: 5)
        table.start(1, 2)
        table.wait(300)
        table.silent = [4]
        table.start(4, zxid: 9)
        table.silent = []
        table.look(4, zxid: 9, epoch: 0)
        table.kill(4)
        table.deliver()
        table.start(3)
        table.wait(1_000)
        #expect([1, 2, 3].allSatisfy { table.leader(of: $0) == 3 })
    }
}

import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

@Suite("Master election", .onServer, .live)
struct LiveElectionTests {
    @Test("The first candidate leads, the second follows when it resigns")
    func succession() async throws {
        try await Live.run { live in
            let first = MasterElection(try await live.connect(), at: live.path, identity: "one")
            let second = MasterElection(try await live.connect(), at: live.path, identity: "two")
            #expect(try await first.leader() == nil)
            let term = try await first.campaign()
            #expect(term.isLeading)
            #expect(try await second.leader()?.identity == "one")
            #expect(try await second.tryCampaign() == nil)
            try await term.announce("one, port 80")
            #expect(try await second.leader()?.identity == "one, port 80")
            await term.resign()
            let next = try await second.campaign()
            #expect(next.token > term.token)
            #expect(!term.isLeading)
            #expect(try await first.candidates().map(\.identity) == ["two"])
            await next.resign()
        }
    }

    @Test("When the leader's session is killed the next candidate leads, and run() competes again after a lost term")
    func failover() async throws {
        try await Live.run { live in
            let leader = try await live.connect()
            let led = Signal<FencingToken>()
            let doomed = Task {
                try await MasterElection(leader, at: live.path).run { term in
                    led.fire(term.token)
                    try await Signal<Void>().wait()
                    return .stop
                }
            }
            let old = try await led.wait()
            let terms = Shared<[FencingToken]>([])
            let successor = Task { [other = try await live.connect()] in
                try await MasterElection(other, at: live.path).run { term in
                    let count = terms.change { terms in
                        terms.append(term.token)
                        return terms.count
                    }
                    guard count < 3 else { return .stop }
                    // The first two terms are lost because somebody removes the node.
                    try await other.delete(term.path)
                    try await Signal<Void>().wait()
                    return .stop
                }
            }
            try await Live.expire(leader)
            try await successor.value
            let seen = terms.value
            #expect(seen.count == 3)
            #expect(([old] + seen) == ([old] + seen).sorted())
            await Live.poke(leader)
            await #expect(throws: ZooKeeperError.self) { try await doomed.value }
        }
    }

    @Test("run() leads again when asked and ends with the body's error")
    func runAgain() async throws {
        struct Failure: Error {}
        try await Live.run { live in
            let election = MasterElection(try await live.connect(), at: live.path)
            let count = Shared(0)
            await #expect(throws: Failure.self) {
                try await election.run { _ in
                    if count.change({ count in
                        count += 1; return count
                    }) == 3 {
                        throw Failure()
                    }
                    return .competeAgain
                }
            }
            #expect(count.value == 3)
            #expect(try await election.candidates().isEmpty)
        }
    }

    @Test("Roles follow each other: candidate, leader, deposed, candidate again; leaving ends the candidacy")
    func roles() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let election = MasterElection(client, at: live.path)
            var seen: [String] = []
            for try await role in election.roles {
                switch role {
                case .candidate: seen.append("candidate")
                case .leader(let term):
                    seen.append("leader")
                    try await client.delete(term.path)
                case .deposed(let loss): seen.append("deposed \(loss == .nodeRemoved)")
                }
                if seen.count == 5 { break }
            }
            #expect(seen == ["candidate", "leader", "deposed true", "candidate", "leader"])
            await election.waitUntilClean()
            #expect(try await election.candidates().isEmpty)
        }
    }

    @Test("A cancelled iteration of roles resigns")
    func rolesCancelled() async throws {
        try await Live.run { live in
            let election = MasterElection(try await live.connect(), at: live.path)
            let leading = Signal<Void>()
            let iteration = Task {
                for try await role in election.roles { if case .leader = role { leading.fire(()) } }
            }
            try await leading.wait()
            iteration.cancel()
            try await iteration.value
            await election.waitUntilClean()
            #expect(try await election.candidates().isEmpty)
        }
    }

    @Test("Followers see who leads: nobody, the leader, its announcement, its successor, nobody")
    func leaders() async throws {
        try await Live.run { live in
            let election = MasterElection(try await live.connect(), at: live.path, identity: "a")
            let follower = MasterElection(try await live.connect(), at: live.path)
            var iterator = follower.leaders.makeAsyncIterator()
            #expect(try await iterator.next() == .some(nil))
            let term = try await election.campaign()
            #expect(try await iterator.next()??.identity == "a")
            try await term.announce("b")
            #expect(try await iterator.next()??.identity == "b")
            await term.resign()
            #expect(try await iterator.next() == .some(nil))
        }
    }
}

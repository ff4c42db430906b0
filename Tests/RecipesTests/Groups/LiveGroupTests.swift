import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

@Suite("Groups, live", .onServer, .live)
struct LiveGroupTests {
    /// Follows until the members have these names and returns the last change.
    @discardableResult
    static func follow(
        _ changes: inout Group.Changes.AsyncIterator, until names: [String]
    ) async throws -> GroupChange {
        while true {
            let change = try #require(try await changes.next())
            if change.members.map(\.name) == names { return change }
        }
    }

    @Test("Members come, change and go, and followers see it with everybody who is there")
    func life() async throws {
        try await Live.run { live in
            let group = Group(try await live.connect(), at: live.path + "/deep/g")
            var changes = group.changes.makeAsyncIterator()
            #expect(try #require(try await changes.next()).members.isEmpty)
            let other = Group(try await live.connect(), at: live.path + "/deep/g")
            let a = try await other.join(as: "a", payload: Array("one".utf8))
            let joined = try await Self.follow(&changes, until: ["a"])
            #expect(joined.joined.map(\.text) == ["one"] && joined.left.isEmpty)
            #expect(joined.members[0].session == a.session && joined.members[0].identity == "a")
            try await a.update(Array("two".utf8))
            let changed = try #require(try await changes.next())
            #expect(changed.changed.map(\.text) == ["two"] && changed.joined.isEmpty && changed.left.isEmpty)
            let b = try await group.join(as: "b")
            try await Self.follow(&changes, until: ["a", "b"])
            #expect(try await other.members().map(\.name) == ["a", "b"])
            await a.leave()
            let left = try await Self.follow(&changes, until: ["b"])
            #expect(left.left.map(\.name) == ["a"])
            #expect(!a.isMember && a.loss == nil)
            await #expect(throws: ZooKeeperError(.holdLost, path: a.path)) { try await a.update([]) }
            await b.leave()
            try await Self.follow(&changes, until: [])
        }
    }

    @Test("A burst of a hundred members arrives whole")
    func many() async throws {
        try await Live.run { live in
            let group = Group(try await live.connect(), at: live.path)
            let names = (100..<200).map { "m\($0)" }
            let joined = try await withThrowingTaskGroup(of: Membership.self, returning: [Membership].self) { tasks in
                for name in names { tasks.addTask { try await group.join(as: name) } }
                var all: [Membership] = []
                for try await one in tasks { all.append(one) }
                return all
            }
            let watching = Group(try await live.connect(), at: live.path)
            var changes = watching.changes.makeAsyncIterator()
            #expect(try #require(try await changes.next()).joined.map(\.name) == names)
            for one in joined { await one.leave() }
            try await Self.follow(&changes, until: [])
        }
    }

    @Test("A name is a member's once: the second session waits, times out, or is refused at once")
    func taken() async throws {
        try await Live.run { live in
            let group = Group(try await live.connect(), at: live.path)
            let first = try await group.join(as: "a")
            let rival = Group(try await live.connect(), at: live.path)
            await #expect(throws: ZooKeeperError(.nodeExists, path: live.path + "/a")) {
                try await rival.join(as: "a", timeout: .zero)
            }
            await #expect(throws: ZooKeeperError(.deadlineExceeded, path: live.path + "/a")) {
                try await rival.join(as: "a", timeout: .milliseconds(20))
            }
            await #expect(throws: ZooKeeperError(.nodeExists, path: live.path + "/a")) {
                try await group.join(as: "a")
            }
            let waits = Signal<Void>()
            let second = Task {
                try await ClientStep.$observer.withValue({ if $0.hasPrefix("answer exists") { waits.fire(()) } }) {
                    try await rival.join(as: "a")
                }
            }
            try await waits.wait()
            await first.leave()
            let membership = try await second.value
            #expect(try await group.members().map(\.session) == [membership.session])
            await membership.leave()
        }
    }

    @Test("A member's node that somebody removes is made again, with the newest payload")
    func removed() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let group = Group(client, at: live.path)
            let member = try await group.join(as: "a", payload: [1])
            try await member.update([2])
            let watching = try await live.connect()
            var changes = Group(watching, at: live.path).changes.makeAsyncIterator()
            let first = try await Self.follow(&changes, until: ["a"]).members[0]
            try await watching.delete(live.path + "/a")
            var last = first
            while last.incarnation == first.incarnation {
                last = try #require(try await changes.next()).members.first ?? first
            }
            #expect(last.payload == [2] && last.session == client.sessionID && member.isMember)
            await member.leave()
            try await Self.follow(&changes, until: [])
        }
    }

    @Test("A body is cancelled when the session ends, and the membership is lost")
    func lost() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let group = Group(client, at: live.path)
            let work = Task {
                try await group.withMembership(as: "a") { _ in
                    async let poked: Void = Live.poke(client)
                    try await Live.expire(client)
                    await poked
                    try await Signal<Void>().wait()
                }
            }
            await #expect(throws: ZooKeeperError(.holdLost, path: live.path + "/a")) { try await work.value }
            // A new session is a new client, and joins anew.
            let again = Group(try await live.connect(), at: live.path)
            let result = try await again.withMembership(as: "a", timeout: .seconds(60)) {
                try await again.members().map(\.name) + [$0.name]
            }
            #expect(result == ["a", "a"])
            #expect(try await again.members().isEmpty)
        }
    }

    @Test("Beats move the version on and are no news for followers")
    func beats() async throws {
        try await Live.run { live in
            let group = Group(try await live.connect(), at: live.path)
            let watching = Group(try await live.connect(), at: live.path)
            var changes = watching.changes.makeAsyncIterator()
            try await group.withMembership(as: "a", payload: [3], beatingEvery: .milliseconds(5)) { member in
                while try await watching.members().first?.version ?? 0 < 3 { await Task.yield() }
                try await member.beat()
            }
            #expect(try await watching.members().isEmpty)
            let seen = try #require(try await changes.next())
            #expect(seen.changed.isEmpty)
        }
    }

    @Test("Members of a party have kazoo's names, and are known by what they call themselves")
    func party() async throws {
        try await Live.run { live in
            let group = Group(try await live.connect(), at: live.path, naming: .party)
            let one = try await group.join(as: "twin")
            let two = try await group.join(as: "twin")
            let members = try await group.members()
            #expect(members.map(\.identity) == ["twin", "twin"])
            #expect(members.allSatisfy { $0.name.count == 32 + 9 && $0.name.hasSuffix("__party__") })
            await #expect(throws: ZooKeeperError(.badArguments, path: live.path)) {
                try await group.join(as: "x", payload: [1])
            }
            await one.leave()
            await two.leave()
        }
    }
}

@Suite("Groups, interrupted", .onServer, .live)
struct InterruptedGroupTests {
    @Test("Cancelled at any point of joining, nothing is left")
    func cancelled() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            var cancelledRuns = 0
            for step in 1... {
                let group = Group(client, at: live.path)
                let task = Signal<Task<Void, any Error>>()
                let trigger = StepTrigger(at: step) { try? await task.wait().cancel() }
                let attempt = Task {
                    do {
                        let membership = try await trigger.observe { try await group.join(as: "a") }
                        await membership.leave()
                    } catch let error as ZooKeeperError where error.code == .cancelled {
                        // The other way out is a membership of the last moment.
                    }
                }
                task.fire(attempt)
                try await attempt.value
                await group.waitUntilClean()
                #expect(try await group.members().isEmpty, "cancelled at step \(step)")
                guard trigger.hasFired else { break }
                cancelledRuns += 1
            }
            #expect(cancelledRuns >= 2)
        }
    }

    @Test("A session that ends at any point of joining ends the attempt or the membership")
    func expired() async throws {
        try await Live.run { live in
            let watching = Group(try await live.connect(), at: live.path)
            for step in 1... {
                let client = try await live.connect()
                let group = Group(client, at: live.path)
                let trigger = StepTrigger(at: step) {
                    do { try await Live.expire(client) } catch { Issue.record(error) }
                }
                do {
                    let membership = try await trigger.observe { try await group.join(as: "a") }
                    if trigger.hasFired {
                        async let poked: Void = Live.poke(client)
                        #expect(try await membership.lost() == .sessionOver, "expired at step \(step)")
                        await poked
                    } else {
                        await membership.leave()
                    }
                } catch let error as ZooKeeperError {
                    #expect(error.isSessionOver && trigger.hasFired, "expired at step \(step): \(error)")
                }
                await group.waitUntilClean()
                #expect(try await watching.members().isEmpty, "expired at step \(step)")
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test(
        "The connection fails at any step of joining: joined all the same, once",
        arguments: LostConnectionTests.Fault.allCases)
    func lostConnection(_ fault: LostConnectionTests.Fault) async throws {
        try await Live.run { live in
            let (client, relay) = try await LostConnectionTests.relayed(live)
            defer { relay.stop() }
            let watching = Group(try await live.connect(), at: live.path)
            for step in 1... {
                let group = Group(client, at: live.path)
                let trigger = StepTrigger(at: step) {
                    fault == .droppedConnection ? relay.drop() : relay.loseNextAnswer()
                }
                let membership = try await trigger.observe { try await group.join(as: "a") }
                #expect(try await watching.members().map(\.session) == [client.sessionID], "step \(step)")
                await membership.leave()
                await group.waitUntilClean()
                #expect(try await watching.members().isEmpty, "step \(step)")
                guard trigger.hasFired else { break }
            }
        }
    }

    @Test("A follower whose connection is lost again and again misses nobody")
    func follower() async throws {
        try await Live.run { live in
            let (client, relay) = try await LostConnectionTests.relayed(live)
            defer { relay.stop() }
            let group = Group(try await live.connect(), at: live.path)
            var changes = Group(client, at: live.path).changes.makeAsyncIterator()
            _ = try await changes.next()
            var members: [Membership] = []
            for number in 0..<5 {
                relay.drop()
                members.append(try await group.join(as: "m\(number)"))
                try await LiveGroupTests.follow(&changes, until: (0...number).map { "m\($0)" })
            }
            relay.drop()
            for member in members { await member.leave() }
            try await LiveGroupTests.follow(&changes, until: [])
        }
    }
}

import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

/// Who runs which share now, and what must never be.
final class ShareJudge: Sendable {
    struct State {
        var owners: [String: String] = [:]
        var tokens: [String: FencingToken] = [:]
        var begun: [String: Int] = [:]
        /// Members whose session was ended from outside, without the hold window that they are promised.
        var doomed: Set<String> = []
    }

    let state = Shared(State())
    private let news = Shared<Signal<Void>>(Signal())

    /// Runs a share until it is taken away, and notes both.
    func run(_ share: Partitioner.Share, as member: String) async throws {
        let token = share.token
        state.change { state in
            #expect(state.owners[share.name] == nil, "\(share.name) runs at \(member) and elsewhere")
            if let last = state.tokens[share.name] { #expect(token > last) }
            state.owners[share.name] = member
            state.tokens[share.name] = token
            state.begun[share.name, default: 0] += 1
        }
        tell()
        // Throws when it is taken away.
        try? await Signal<Void>().wait()
        state.change { state in
            if !state.doomed.contains(member) { state.owners[share.name] = nil }
        }
        tell()
    }

    /// Says that a member's session is about to be ended: what it still believes to have counts no more.
    func doom(_ member: String) {
        state.change { state in
            state.doomed.insert(member)
            state.owners = state.owners.filter { $0.value != member }
        }
    }

    private func tell() {
        news.change { signal in
            defer { signal = Signal() }
            return signal
        }.fire(())
    }

    /// Waits until it is so.
    func wait(until isRight: @Sendable ([String: String]) -> Bool) async throws {
        while true {
            let signal = news.value
            if isRight(state.value.owners) { return }
            try await signal.wait()
        }
    }
}

@Suite("Partitioner, live", .onServer, .live)
struct LivePartitionerTests {
    static let shares = (0..<8).map { "s\($0)" }

    static func start(_ member: String, _ client: ZooKeeperClient, _ live: Live, _ judge: ShareJudge) -> Task<
        Void, any Error
    > {
        let partitioner = Partitioner(
            client, at: live.path + "/p", member: member, shares: shares, settle: .milliseconds(5))
        return Task { try await partitioner.run { share in try await judge.run(share, as: member) } }
    }

    /// Lets the connection fail and returns when there is another.
    static func fail(_ fault: LostConnectionTests.Fault, _ relay: Relay, _ client: ZooKeeperClient) async {
        fault == .droppedConnection ? relay.drop() : relay.loseNextAnswer()
        while (try? await client.sync()) == nil {}
    }

    static func isBalanced(_ owners: [String: String], over members: Set<String>) -> Bool {
        let counts = members.map { member in owners.values.count { $0 == member } }
        return owners.count == shares.count && Set(owners.values) == members
            && (counts.max() ?? 0) - (counts.min() ?? 0) <= 1
    }

    @Test("Shares follow the members that come, leave and die; never two at once, tokens grow, few move")
    func life() async throws {
        try await Live.run { live in
            let judge = ShareJudge()
            let a = Self.start("a", try await live.connect(), live, judge)
            try await judge.wait { Self.isBalanced($0, over: ["a"]) }
            let doomed = try await live.connect()
            let b = Self.start("b", doomed, live, judge)
            try await judge.wait { Self.isBalanced($0, over: ["a", "b"]) }
            // Eight were begun, four of them moved.
            #expect(judge.state.value.begun.values.reduce(0, +) == 12)
            let c = Self.start("c", try await live.connect(), live, judge)
            try await judge.wait { Self.isBalanced($0, over: ["a", "b", "c"]) }
            #expect(judge.state.value.begun.values.reduce(0, +) == 14)
            // One dies, and the one that assigns leaves.
            judge.doom("b")
            async let poked: Void = Live.poke(doomed)
            try await Live.expire(doomed)
            await poked
            await #expect(throws: ZooKeeperError.self) { try await b.value }
            try await judge.wait { Self.isBalanced($0, over: ["a", "c"]) }
            a.cancel()
            _ = await a.result
            #expect(!judge.state.value.owners.values.contains("a"))
            try await judge.wait { Self.isBalanced($0, over: ["c"]) }
            let observer = Partitioner(try await live.connect(), at: live.path + "/p", member: "", shares: [])
            let assignment = try #require(try await observer.assignment())
            #expect(assignment.shares(of: "c") == Self.shares && assignment.generation >= 4)
            #expect(try await observer.holders(of: "s0").map(\.identity) == ["c"])
            c.cancel()
            _ = await c.result
            #expect(judge.state.value.owners.isEmpty)
            #expect(try await observer.holders(of: "s0").isEmpty)
        }
    }

    @Test("An error of one body ends the whole run and frees every share; a body that returns keeps its share")
    func errors() async throws {
        struct Problem: Error {}
        try await Live.run { live in
            let client = try await live.connect()
            let partitioner = Partitioner(
                client, at: live.path, member: "a", shares: ["good", "bad"], settle: .zero)
            let isIdle = Signal<Void>()
            await #expect(throws: Problem.self) {
                try await partitioner.run { share in
                    if share.name == "good" {
                        isIdle.fire(())
                        return
                    }
                    try await isIdle.wait()
                    while try await partitioner.holders(of: "good").isEmpty {}
                    throw Problem()
                }
            }
            for share in ["good", "bad"] { #expect(try await partitioner.holders(of: share).isEmpty) }
            #expect(try await Group(client, at: live.path + "/members").members().isEmpty)
            await #expect(throws: ZooKeeperError(.badArguments, path: live.path)) {
                try await Partitioner(client, at: live.path, member: "a", shares: ["x/y"]).run { _ in }
            }
        }
    }

    @Test("Connections that fail again and again lose nothing: the shares stay and no two run one")
    func lostConnections() async throws {
        try await Live.run { live in
            let (client, relay) = try await LostConnectionTests.relayed(live)
            let other = try await live.connect()
            try await Self.share(between: client, behind: relay, and: other, live)
            relay.stop()
        }
    }

    static func share(
        between client: ZooKeeperClient, behind relay: Relay, and other: ZooKeeperClient, _ live: Live
    ) async throws {
        let judge = ShareJudge()
        let a = start("a", client, live, judge)
        relay.drop()
        try await judge.wait { isBalanced($0, over: ["a"]) }
        let b = start("b", other, live, judge)
        for fault in LostConnectionTests.Fault.allCases { await fail(fault, relay, client) }
        try await judge.wait { isBalanced($0, over: ["a", "b"]) }
        a.cancel()
        _ = await a.result
        b.cancel()
        _ = await b.result
        #expect(judge.state.value.owners.isEmpty)
    }
}

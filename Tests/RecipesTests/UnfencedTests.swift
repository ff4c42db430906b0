import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

/// Why locks need fences: holders are paused past the end of their sessions between looking and writing, as a collector
/// of garbage, a stopped virtual machine or a slow disk would do it, and write when they wake up.
@Suite("Unfenced versus fenced", .onServer, .live)
struct UnfencedTests {
    /// What a resource has applied, and whether an older holder's write came after a newer one's.
    struct Resource {
        var fence: FenceGuard?
        var applied: [FencingToken] = []
        var refused = 0

        mutating func write(_ token: FencingToken) {
            if fence != nil {
                do {
                    try fence?.admit(token)
                } catch {
                    refused += 1
                    return
                }
            }
            applied.append(token)
        }

        var violations: Int { zip(applied, applied.dropFirst()).count { $0 > $1 } }
    }

    static let rounds = 4

    /// A holder that has looked, sees that it holds, and is paused before it writes. Its session ends, the next one
    /// holds and writes, and then the paused one wakes up.
    static func pausedHolders(_ live: Live, _ write: @escaping @Sendable (LockGrant) async -> Void) async throws {
        for _ in 0..<rounds {
            let (paused, wake) = (Signal<Void>(), Signal<Void>())
            let client = try await live.connect()
            let sleeper = Task.detached {
                let grant = try await DistributedLock(client, at: live.path + "/lock").acquire()
                #expect(grant.isHeld)
                paused.fire(())
                try await wake.wait()
                await write(grant)
            }
            try await paused.wait()
            try await Live.expire(client)
            let next = try await DistributedLock(try await live.connect(), at: live.path + "/lock").acquire()
            await write(next)
            wake.fire(())
            try await sleeper.value
            await write(next)
            await next.release()
        }
    }

    @Test("Without a fence every paused holder overwrites what its successor wrote")
    func unfenced() async throws {
        try await Live.run { live in
            let resource = Shared(Resource())
            try await Self.pausedHolders(live) { grant in resource.change { $0.write(grant.token) } }
            #expect(resource.value.violations == Self.rounds)
        }
    }

    @Test("With a guard at the resource none does")
    func fenced() async throws {
        try await Live.run { live in
            let resource = Shared(Resource(fence: FenceGuard()))
            try await Self.pausedHolders(live) { grant in resource.change { $0.write(grant.token) } }
            #expect(resource.value.violations == 0)
            #expect(resource.value.refused == Self.rounds)
            #expect(resource.value.applied.count == 2 * Self.rounds)
        }
    }

    @Test("Written into the ensemble: unguarded as unfenced, through the sequencer's checks as fenced")
    func guarded() async throws {
        try await Live.run { live in
            let store = try await live.connect()
            let (plain, checked) = (live.path + "/plain", live.path + "/checked")
            try await store.ensurePath(live.path)
            for path in [plain, checked] { try await store.create(path, Array("0".utf8)) }
            let history = Shared((plain: [FencingToken](), checked: [FencingToken]()))
            let violations = Shared(0)
            try await Self.pausedHolders(live) { grant in
                // Another process writes on the holder's behalf, with the sequencer that it was sent.
                let text = grant.sequencer.description
                let value = Array(grant.token.description.utf8)
                do {
                    try await store.setData(at: plain, to: value)
                    history.change { $0.plain.append(grant.token) }
                    let sequencer = try #require(Sequencer(text))
                    try await store.transaction(sequencer.checks(using: store) + [.setData(checked, value)])
                    history.change { $0.checked.append(grant.token) }
                } catch {
                    violations.change { $0 += 1 }
                }
            }
            let (unfenced, fenced) = history.value
            #expect(zip(unfenced, unfenced.dropFirst()).count { $0 > $1 } == Self.rounds)
            #expect(fenced == fenced.sorted())
            #expect(fenced.count == 2 * Self.rounds)
            #expect(violations.value == Self.rounds)
            let last = try #require(fenced.last)
            #expect(try await store.data(at: checked).bytes == Array(last.description.utf8))
        }
    }
}

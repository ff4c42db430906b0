import ConclaveClient
import ConclaveCore
import Recipes

/// A holder is paused, loses its session and comes back: what it writes then must not count.
struct FenceChapter: Sendable {
    /// A resource outside of the ensemble that checks tokens.
    private actor Ledger {
        private var fence = FenceGuard()
        private(set) var entries: [String] = []

        func write(_ entry: String, token: FencingToken) throws(StaleToken) {
            try fence.admit(token)
            entries.append(entry)
        }
    }

    private static let lockPath = "/demo/locks/ledger"
    private static let notePath = "/demo/ledger"

    static func tell(_ world: DemoWorld, _ story: Story) async throws {
        story.chapter(2, "A fence", "a holder sleeps too long; its late writes are refused")
        let ledger = Ledger()
        let (emil, fatou) = (try await world.connect(), try await world.connect())
        try await emil.ensurePath(notePath)
        let old = try await DistributedLock(emil, at: lockPath, identity: "emil").acquire(timeout: .seconds(10))
        try await ledger.write("emil", token: old.token)
        story.tell("emil", "has the lock, token \(old.token), writes to the ledger, then falls asleep")
        let next = Task {
            try await DistributedLock(fatou, at: lockPath, identity: "fatou").acquire(timeout: .seconds(10))
        }
        story.tell("fatou", "waits for the lock")
        try await Task.sleep(for: .milliseconds(250))
        let killed = ContinuousClock.now
        try await world.killSession(of: emil)
        story.tell("servers", "emil's session is over")
        let new = try await next.value
        story.tell(
            "fatou",
            "has the lock \(DurationText.format(ContinuousClock.now - killed)) later, token \(new.token), writes")
        try await ledger.write("fatou", token: new.token)
        try await new.guarded([.setData(notePath, Array("fatou".utf8), version: nil)])
        try await Task.sleep(for: .milliseconds(250))
        let refusals = try await wakeUp(old, ledger, story)
        let note = String(decoding: try await fatou.data(at: notePath).bytes, as: UTF8.self)
        await new.release()
        story.check("both late writes were refused", refusals == 2)
        story.check(
            "the ledger holds what the holders wrote, in their order", await ledger.entries == ["emil", "fatou"])
        story.check("the guarded node holds what fatou wrote", note == "fatou")
        story.check("emil was told that the lock is lost", old.loss != nil)
        await world.closeClients()
    }

    /// - Returns: how many of the sleeper's two writes were refused.
    private static func wakeUp(_ grant: LockGrant, _ ledger: Ledger, _ story: Story) async throws -> Int {
        var refusals = 0
        story.tell("emil", "wakes up and writes as if nothing had happened")
        do {
            try await ledger.write("emil, late", token: grant.token)
        } catch {
            story.tell("ledger", story.red("refused") + ": \(error)")
            refusals += 1
        }
        do {
            try await grant.guarded([.setData(notePath, Array("emil, late".utf8), version: nil)])
        } catch {
            story.tell("emil", story.red("guarded write refused") + ": \(error.message)")
            refusals += 1
        }
        return refusals
    }
}

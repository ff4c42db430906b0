import ConclaveClient
import ConclaveCore
import ConclaveServer
import Recipes

/// All servers are killed at once and started again on their data.
struct RestartChapter: Sendable {
    static func tell(_ world: DemoWorld, _ story: Story) async throws {
        story.chapter(7, "A power failure", "all three servers are killed at once and start again on their logs")
        await world.closeClients()
        await world.quorum.killAll()
        let begin = ContinuousClock.now
        try await world.quorum.restartAll()
        try await world.quorum.untilServing()
        let client = try await world.connect()
        story.tell("servers", "are back \(DurationText.format(ContinuousClock.now - begin)) later")
        let counter = String(decoding: try await client.data(at: LockChapter.counterPath).bytes, as: UTF8.self)
        story.check("the counter is still at \(counter)", counter == "\(LockChapter.increments)")
        let version = try await client.data(at: ConfigurationChapter.path).stat.version
        story.check(
            "the configuration is still at version \(version)", version == Int32(ConfigurationChapter.revisions))
        var left = 0
        for lock in try await client.children(of: "/demo/locks").names {
            left += try await client.children(of: "/demo/locks/" + lock).names.count
        }
        story.check("no lock is left behind", left == 0)
        story.check("all three servers hold the same", try await world.hasEqualTrees())
        await world.closeClients()
    }
}

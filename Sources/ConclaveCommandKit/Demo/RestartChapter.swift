import ConclaveClient
import ConclaveCore
import Recipes

/// The server is stopped and started again on its data.
struct RestartChapter: Sendable {
    static func tell(_ world: DemoWorld, _ story: Story) async throws {
        story.chapter(6, "A restart", "the server stops and starts again on its log")
        let begin = ContinuousClock.now
        try await world.restart()
        let client = try await world.connect()
        story.tell("server", "is back on \(world.address), \(DurationText.format(ContinuousClock.now - begin)) later")
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
        await world.closeClients()
    }
}

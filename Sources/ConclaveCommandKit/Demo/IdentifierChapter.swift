import ConclaveClient
import Recipes

/// Four clients draw numbers at once.
struct IdentifierChapter: Sendable {
    private static let clients = 4

    static func tell(_ world: DemoWorld, _ story: Story) async throws {
        story.chapter(6, "Numbers", "four clients draw numbers at the same time")
        try await draw(
            100, .sequentialNodes(), "/demo/ids/invoices", "one node each", world, story)
        try await draw(2500, .blocks(of: 100), "/demo/ids/events", "in blocks of 100", world, story)
        await world.closeClients()
    }

    private static func draw(
        _ count: Int, _ form: SequentialIDs.Form, _ path: String, _ how: String, _ world: DemoWorld, _ story: Story
    ) async throws {
        let begin = ContinuousClock.now
        let drawn = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for _ in 0..<clients {
                let ids = SequentialIDs(try await world.connect(), at: path, form: form)
                group.addTask {
                    var numbers: [Int64] = []
                    for _ in 0..<count { numbers.append(try await ids.next()) }
                    await ids.waitUntilClean()
                    return numbers
                }
            }
            return try await group.reduce(into: [[Int64]]()) { $0.append($1) }
        }
        let time = ContinuousClock.now - begin
        let all = drawn.flatMap(\.self)
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
        story.tell(
            "ids",
            "\(all.count) numbers, \(how), in \(DurationText.format(time)): \(Int(Double(all.count) / seconds)) a second"
        )
        let isGrowing = drawn.allSatisfy { zip($0, $0.dropFirst()).allSatisfy { $0 < $1 } }
        story.check(
            "\(Set(all).count) of \(all.count) are different, and each client's grow",
            Set(all).count == all.count && all.count == clients * count && isGrowing)
    }
}

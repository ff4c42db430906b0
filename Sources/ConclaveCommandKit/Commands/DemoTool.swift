import ConclaveCore

/// `conclave demo`: three servers, clients and the recipes at work, in one process.
package enum DemoTool: ToolCommand {
    package static let specification = CommandSpecification(
        "demo", summary: "watch three servers and several clients coordinate; checks itself", usage: "",
        details: """
            Starts three servers on free ports with their data in a temporary directory, and clients with sessions of their \
            own: they contend for a lock, one of them falls asleep and comes back too late, a master is elected and killed, \
            the leader of the servers is killed under load, configuration changes reach subscribers, numbers are drawn at the \
            same time, all servers fail at once and come back. Takes about ten seconds; nothing is left behind.
            """,
        statuses: [(ExitCode.failed, "one of the checks failed")])

    /// No chapter takes longer; one that does hangs.
    private static let chapterLimit = Duration.seconds(30)

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let story = Story(console: context.console, environment: context.environment)
        let world = try await DemoWorld.start()
        story.line(
            story.bold("Conclave")
                + ": three servers and their clients in this process; elections, sockets, sessions and disk are real")
        story.line(story.dim("servers on \(world.address), data in \(world.dataDirectory)"))
        do {
            try await tell(world, story)
        } catch {
            await world.end()
            throw error
        }
        await world.end()
        return conclude(story)
    }

    private static func tell(_ world: DemoWorld, _ story: Story) async throws {
        let chapters: [@Sendable (DemoWorld, Story) async throws -> Void] = [
            { try await LockChapter.tell($0, $1) }, { try await FenceChapter.tell($0, $1) },
            { try await ElectionChapter.tell($0, $1) }, { try await FailoverChapter.tell($0, $1) },
            { try await ConfigurationChapter.tell($0, $1) },
            { try await IdentifierChapter.tell($0, $1) }, { try await RestartChapter.tell($0, $1) },
        ]
        for (number, chapter) in chapters.enumerated() {
            try await world.within(chapterLimit, "chapter \(number + 1)") { try await chapter(world, story) }
            // A moment to read.
            try await Task.sleep(for: .milliseconds(400))
        }
    }

    private static func conclude(_ story: Story) -> Int32 {
        story.line()
        let time = DurationText.format(story.elapsed)
        guard story.failures.isEmpty else {
            story.line(
                story.red("\(story.failures.count) of \(story.passes + story.failures.count) checks failed")
                    + " (\(time))")
            for failure in story.failures { story.line("  " + failure) }
            return ExitCode.failed
        }
        story.line(story.bold("All \(story.passes) checks hold") + " (\(time)).")
        story.line(story.dim("Next: 'conclave quorum', then 'conclave shell' in another window."))
        return ExitCode.success
    }
}

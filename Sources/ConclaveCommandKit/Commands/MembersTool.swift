import ConclaveClient
import ConclaveCore
import ConclaveSystem
import Recipes

/// `conclave members`: who takes part in a group.
package enum MembersTool: ToolCommand {
    static let json = OptionSpecification("--json", help: "one JSON object for each line of output")
    static let count = OptionSpecification("--count", value: "NUMBER", help: "watch, health: end after so many lines")
    static let payload = OptionSpecification("--payload", value: "TEXT", help: "join: what others see of the member")
    static let party = OptionSpecification("--party", help: "join: under a node of the kind that kazoo's Party reads")
    static let beat = OptionSpecification("--beat", value: "TIME", help: "join: write a heartbeat so often")
    static let timeout = OptionSpecification(
        "--timeout", value: "TIME", help: "join: wait so long for another member of that name to go")
    static let suspect = OptionSpecification(
        "--suspect-after", value: "TIME", help: "health: who has not beaten for so long is suspect")
    static let dead = OptionSpecification(
        "--dead-after", value: "TIME", help: "health: who has not beaten for so long is dead")

    package static let specification = CommandSpecification(
        "members", summary: "list, watch or join a group", usage: "list|watch|health|join PATH [NAME] [OPTIONS]",
        details: """
            list prints who is a member at PATH. watch prints it, then a line for each member that joins, leaves or changes. \
            health prints who is alive, suspect or dead and then each change; without --suspect-after and --dead-after only \
            members that go count. join makes NAME a member until this process ends. Works for the groups of this project, \
            of Curator (GroupMember) and of kazoo (Party).

              conclave members join /groups/workers host-7 --payload 10.0.0.7:9000 --beat 1s &
              conclave members health /groups/workers --suspect-after 3s
            """,
        options: [json, count, payload, party, beat, timeout, suspect, dead] + ConnectionOptions.all,
        arguments: 2...3,
        statuses: ConnectionOptions.statuses + [
            (ExitCode.notAcquired, "join: another member of that name stayed"),
            (ExitCode.holdLost, "join: the membership was lost"),
        ])

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let action = try Actions.check(
            arguments, [("list", 1...1), ("watch", 1...1), ("health", 1...1), ("join", 2...2)])
        try Actions.allow(count, for: ["watch", "health"], in: arguments)
        for option in [payload, party, beat, timeout] { try Actions.allow(option, for: ["join"], in: arguments) }
        for option in [suspect, dead] { try Actions.allow(option, for: ["health"], in: arguments) }
        let limit = try arguments.integer(count, in: 1...Int.max)
        let times = (
            beat: try arguments.duration(beat), timeout: try arguments.duration(timeout),
            suspect: try arguments.duration(suspect), dead: try arguments.duration(dead)
        )
        let path = arguments.positional[1]
        return try await ConnectionOptions.withClient(arguments, context) { client in
            let group = Group(client, at: path, naming: arguments.has(party) ? .party : .member)
            switch action {
            case "list":
                show(try await group.members(), arguments, context)
            case "watch":
                try await watch(group, limit, arguments, context)
            case "health":
                let monitor = HeartbeatMonitor(client, at: path, suspectAfter: times.suspect, deadAfter: times.dead)
                try await health(monitor, limit, arguments, context)
            default:
                let name = arguments.positional[2]
                try await group.withMembership(
                    as: name, payload: Array((arguments.text(payload) ?? "").utf8), timeout: times.timeout,
                    beatingEvery: times.beat
                ) { member in
                    context.console.line("joined \(member.path)")
                    _ = try await member.lost()
                }
            }
            return ExitCode.success
        }
    }

    private static func show(_ members: [GroupMember], _ arguments: Arguments, _ context: ToolContext) {
        if arguments.has(json) {
            for member in members { context.console.line(object(member, []).text) }
            return
        }
        let style = context.console.style
        let now = SystemClock.wallTime().milliseconds
        let head = ["identity", "member for", "session", "payload"].map(style.dim)
        let rows = members.map { member in
            [
                member.identity, DurationText.format(.milliseconds(max(0, now - member.joinedMilliseconds))),
                "\(member.session)", DataText.preview(member.payload),
            ]
        }
        for line in Columns.table(context.console.isTerminal ? [head] + rows : rows) { context.console.line(line) }
    }

    private static func watch(
        _ group: Group, _ limit: Int?, _ arguments: Arguments, _ context: ToolContext
    ) async throws {
        var shown = 0
        for try await change in group.changes {
            for (word, members) in [("left", change.left), ("joined", change.joined), ("changed", change.changed)] {
                for member in members {
                    if arguments.has(json) {
                        context.console.line(object(member, [("event", .string(word))]).text)
                    } else {
                        let text = [word, member.identity, DataText.preview(member.payload)]
                        context.console.line(text.filter { !$0.isEmpty }.joined(separator: " "))
                    }
                    shown += 1
                    if shown == limit { return }
                }
            }
        }
    }

    private static func health(
        _ monitor: HeartbeatMonitor, _ limit: Int?, _ arguments: Arguments, _ context: ToolContext
    ) async throws {
        var shown = 0
        for try await report in monitor.reports {
            for health in report.changed {
                if arguments.has(json) {
                    let more: [(key: String, value: JSON)] = [
                        ("condition", .string(word(health.condition))),
                        ("lastBeat", .integer(health.lastBeatMilliseconds)),
                    ]
                    context.console.line(object(health.member, more).text)
                } else {
                    let time = DateText.precise(health.lastBeatMilliseconds)
                    context.console.line("\(health.member.identity) \(word(health.condition)), last heard \(time)")
                }
                shown += 1
                if shown == limit { return }
            }
        }
    }

    private static func word(_ condition: MemberHealth.Condition) -> String {
        switch condition {
        case .alive: "alive"
        case .suspect: "suspect"
        case .dead(.gone): "gone"
        case .dead(.silent): "dead"
        }
    }

    private static func object(_ member: GroupMember, _ more: [(key: String, value: JSON)]) -> JSON {
        var members = more
        members += [("name", .string(member.name)), ("identity", .string(member.identity))]
        if let text = String(validating: member.payload, as: UTF8.self) {
            members.append(("payload", .string(text)))
        } else {
            members.append(("payloadBase64", .string(Base64.encode(member.payload))))
        }
        members += [
            ("session", .string(member.session.description)), ("joined", .integer(member.joinedMilliseconds)),
            ("written", .integer(member.writtenMilliseconds)),
        ]
        return .object(members)
    }
}

import ConclaveCore
import ConclaveStorage
import ConclaveSystem

/// `conclave snapshot`: what is in a snapshot.
package enum SnapshotTool: ToolCommand {
    static let verbose = OptionSpecification(
        "--verbose", short: "-v", help: "every node with its stat, the sessions, the access control lists")
    static let json = OptionSpecification("--json", help: "one JSON object a line; every node with --verbose")

    package static let specification = CommandSpecification(
        "snapshot", summary: "show what is in a snapshot, and whether it is sound", usage: "[OPTIONS] FILE",
        details: """
            Prints how many nodes, sessions and access control lists there are, where the data lies, and the digest. FILE is \
            a snapshot of this server or of Apache ZooKeeper (version-2/snapshot.…, also .gz and .snappy). Checksums are \
            verified; nothing is changed.
            """,
        options: [verbose, json], arguments: 1...1,
        statuses: [(ExitCode.failed, "the snapshot is damaged or cannot be read")])

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let path = arguments.positional[0]
        let base = String(path.split(separator: "/").last ?? "")
        guard let name = FileName.snapshot(base) else {
            throw ToolFailure("\(path): a snapshot is called snapshot.<zxid>, with .gz or .snappy if it is compressed")
        }
        var target = SnapshotSummary(
            console: context.console, isVerbose: arguments.has(verbose), isJSON: arguments.has(json))
        do {
            let report = try StoredFile.readSnapshot(path, name: name, disk: FileDisk(), into: &target)
            target.finish(report)
            return ExitCode.success
        } catch {
            if arguments.has(json) {
                let members: [(key: String, value: JSON)] = [
                    ("state", "damaged"), ("reason", .string(error.message)),
                    ("offset", error.offset.map(JSON.integer) ?? .null),
                ]
                context.console.line(JSON.object(members).text)
            }
            throw ToolFailure((error.code == .corrupt ? "damaged: " : "") + error.description)
        }
    }
}

import ConclaveCore

/// A command of the shell: its name and what it takes. The names, options and usage texts are those of the reference's shell.
package struct ShellCommand: Sendable {
    package let name: String
    package let usage: String
    /// Options without a value, by their letter.
    package let flags: String
    /// Options with a value.
    package let valued: [String]
    package let arguments: ClosedRange<Int>
    /// Whether its first argument is the path of a node, for completion.
    package let takesPath: Bool

    private init(
        _ name: String, _ usage: String, flags: String = "", valued: [String] = [], arguments: ClosedRange<Int>,
        takesPath: Bool = true
    ) {
        self.name = name
        self.usage = usage
        self.flags = flags
        self.valued = valued
        self.arguments = arguments
        self.takesPath = takesPath
    }

    package static let all: [ShellCommand] = [
        .init(
            "addWatch",
            "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is PERSISTENT_RECURSIVE",
            valued: ["m"], arguments: 1...1),
        .init("addauth", "scheme auth", arguments: 2...2, takesPath: false),
        .init("close", "", arguments: 0...0, takesPath: false),
        .init("config", "[-c] [-w] [-s]", flags: "cws", arguments: 0...0, takesPath: false),
        .init("connect", "host:port", arguments: 0...1, takesPath: false),
        .init("create", "[-s] [-e] [-c] [-t ttl] path [data] [acl]", flags: "sec", valued: ["t"], arguments: 1...3),
        .init("delete", "[-v version] path", valued: ["v"], arguments: 1...1),
        .init("deleteall", "path [-b batch size]", valued: ["b"], arguments: 1...1),
        .init("delquota", "[-n|-b|-N|-B] path", flags: "nbNB", arguments: 1...1),
        .init("get", "[-s] [-w] [-b] [-x] path", flags: "swbx", arguments: 1...1),
        .init("getAcl", "[-s] path", flags: "s", arguments: 1...1),
        .init("getAllChildrenNumber", "path", arguments: 1...1),
        .init("getEphemerals", "[path]", arguments: 0...1),
        .init("help", "[command]", arguments: 0...1, takesPath: false),
        .init("history", "", arguments: 0...0, takesPath: false),
        .init("listquota", "path", arguments: 1...1),
        .init("ls", "[-s] [-w] [-R] path", flags: "swR", arguments: 1...1),
        .init("printwatches", "on|off", arguments: 0...1, takesPath: false),
        .init("quit", "", arguments: 0...0, takesPath: false),
        .init(
            "reconfig",
            "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | "
                + "[-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
            flags: "s", valued: ["v", "file", "members", "add", "remove"], arguments: 0...0, takesPath: false),
        .init("redo", "cmdno", arguments: 1...1, takesPath: false),
        .init("removewatches", "path [-c|-d|-a] [-l]", flags: "cdal", arguments: 1...1),
        .init("set", "[-s] [-v version] [-b] path data", flags: "sb", valued: ["v"], arguments: 2...2),
        .init("setAcl", "[-s] [-v version] [-R] path acl", flags: "sR", valued: ["v"], arguments: 2...2),
        .init("setquota", "-n|-b|-N|-B val path", valued: ["n", "b", "N", "B"], arguments: 1...1),
        .init("stat", "[-w] path", flags: "w", arguments: 1...1),
        .init("sync", "path", arguments: 1...1),
        .init("version", "", arguments: 0...0, takesPath: false),
        .init("whoami", "", arguments: 0...0, takesPath: false),
    ]

    package static func find(_ name: String) -> ShellCommand? { all.first { $0.name == name } }

    /// The command that was probably meant.
    package static func suggestion(for name: String) -> String? {
        NearestName.suggestion(for: name, among: all.map(\.name))
    }

    /// Name and usage on one line.
    package var help: String { usage.isEmpty ? name : name + " " + usage }

    /// Divides the words behind the name. Options may stand anywhere and be joined (`-sw`); `--` ends them; numbers such as
    /// `-1` are arguments.
    package func parse(_ words: some Collection<String>) throws(ShellError) -> ShellArguments {
        var result = ShellArguments()
        var rest = Array(words)[...]
        while let word = rest.popFirst() {
            if word == "--" {
                result.positional.append(contentsOf: rest)
                break
            }
            guard word.hasPrefix("-"), word != "-", Int(word) == nil else {
                result.positional.append(word)
                continue
            }
            let name = String(word.dropFirst())
            if valued.contains(name) {
                guard let value = rest.popFirst() else { throw ShellError("Missing argument for option: \(name)") }
                result.values[name] = value
            } else if name.allSatisfy(flags.contains) {
                result.flags.formUnion(name)
            } else {
                throw ShellError("Unrecognized option: \(word)\n\(help)")
            }
        }
        guard arguments.contains(result.positional.count) else { throw ShellError(help) }
        return result
    }
}

/// The words behind a command, divided.
package struct ShellArguments: Equatable, Sendable {
    fileprivate(set) var flags: Set<Character> = []
    fileprivate(set) var values: [String: String] = [:]
    package fileprivate(set) var positional: [String] = []

    package func has(_ flag: Character) -> Bool { flags.contains(flag) }

    package func value(_ name: String) -> String? { values[name] }

    /// The number behind `-v`, or `nil` for any version.
    package func version() throws(ShellError) -> Int32? {
        guard let text = values["v"] else { return nil }
        guard let version = Int32(text) else { throw ShellError("-v argument must be a number: \(text)") }
        return version == -1 ? nil : version
    }
}

/// A command failed; the message goes to the error output as it is.
package struct ShellError: Error, Equatable, Sendable {
    package let message: String
    package let status: Int32

    package init(_ message: String, status: Int32 = 1) {
        self.message = message
        self.status = status
    }
}

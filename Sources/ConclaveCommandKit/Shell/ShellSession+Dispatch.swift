import ConclaveClient
import ConclaveCore

extension ShellSession {
    /// Runs a command whose words have been checked.
    func run(_ command: ShellCommand, _ arguments: ShellArguments) async throws {
        switch command.name {
        case "create": try await create(arguments)
        case "delete": try await delete(arguments)
        case "deleteall": try await deleteAll(arguments)
        case "get": try await get(arguments)
        case "set": try await set(arguments)
        case "ls": try await list(arguments)
        case "stat": try await stat(arguments)
        case "sync": try await sync(arguments)
        case "getAcl": try await getACL(arguments)
        case "setAcl": try await setACL(arguments)
        case "getEphemerals": try await getEphemerals(arguments)
        case "getAllChildrenNumber": try await countDescendants(arguments)
        case "addWatch": try await addWatch(arguments)
        case "removewatches": try await removeWatches(arguments)
        case "listquota": try await listQuota(arguments)
        case "setquota": try await setQuota(arguments)
        case "delquota": try await deleteQuota(arguments)
        case "addauth": try await addAuth(arguments)
        case "whoami": try await whoAmI()
        case "config": try await config(arguments)
        case "reconfig": try await reconfigure(arguments)
        case "connect": try await connect(to: arguments.positional.first)
        case "close": await close()
        case "history": showHistory()
        case "printwatches": try switchWatches(arguments)
        case "version": console.line("ZooKeeper CLI version: 3.8.0 (Conclave \(Tool.version))")
        case "help": try help(arguments)
        case let name: preconditionFailure("the command \(name) is in the table and not in the switch")
        }
    }

    /// The path that stands at a place, checked.
    func path(_ arguments: ShellArguments, at index: Int = 0) throws(ShellError) -> String {
        let path = arguments.positional[index]
        if let sentence = ShellErrorText.sentence(forPath: path) { throw ShellError(sentence) }
        return path
    }

    func show(_ stat: Stat) {
        for line in StatText.lines(stat) { console.line(line) }
    }

    func show(_ names: [String]) { console.line("[" + names.joined(separator: ", ") + "]") }

    // MARK: The shell itself

    private func showHistory() {
        for (number, line) in entered.enumerated().suffix(11) { console.line("\(number) - \(line)") }
    }

    private func switchWatches(_ arguments: ShellArguments) throws(ShellError) {
        switch arguments.positional.first {
        case nil: console.line("printwatches is " + (printsWatches ? "on" : "off"))
        case "on": printsWatches = true
        case "off": printsWatches = false
        default: throw ShellError("printwatches on|off")
        }
    }

    private func help(_ arguments: ShellArguments) throws(ShellError) {
        guard let name = arguments.positional.first else {
            for command in ShellCommand.all { console.line("\t" + command.help) }
            return
        }
        guard let command = ShellCommand.find(name) else { throw ShellError("Command not found: \(name)") }
        console.line(command.help)
    }

    // MARK: The connection

    private func addAuth(_ arguments: ShellArguments) async throws {
        let secret = Array(arguments.positional[1].utf8)
        try await connected().authenticate(Credential(scheme: arguments.positional[0], secret: secret))
    }

    private func whoAmI() async throws {
        let identities = try await connected().identities()
        console.line("Auth scheme: User")
        for identity in identities { console.line("\(identity.scheme): \(identity.id)") }
    }

    private func config(_ arguments: ShellArguments) async throws {
        let client = try connected()
        let node: NodeData
        if arguments.has("w") {
            let (watched, change) = try await client.watchData(at: "/zookeeper/config")
            listen(for: change)
            node = watched
        } else {
            node = try await client.configuration()
        }
        let text = String(decoding: node.bytes, as: UTF8.self)
        console.line(arguments.has("c") ? Self.connectString(ofConfiguration: text) : text)
        if arguments.has("s") { show(node.stat) }
    }

    /// Version and client addresses of a configuration, as the reference joins them.
    static func connectString(ofConfiguration text: String) -> String {
        var version = ""
        var hosts: [String] = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("version=") { version = String(line.dropFirst("version=".count)) }
            guard line.hasPrefix("server."), let semicolon = line.lastIndex(of: ";") else { continue }
            hosts.append(String(line[line.index(after: semicolon)...]))
        }
        return version + " " + hosts.joined(separator: ",")
    }

    private func reconfigure(_ arguments: ShellArguments) async throws {
        let members = arguments.value("members")
        let joining = arguments.value("add")
        let leaving = arguments.value("remove")
        guard arguments.value("file") == nil else {
            throw ShellError("-file is not supported; name the servers with -members, -add or -remove")
        }
        guard (members != nil) != (joining != nil || leaving != nil) else {
            throw ShellError(ShellCommand.find("reconfig")?.help ?? "")
        }
        var version: Int64 = -1
        if let text = arguments.value("v") {
            guard let number = Int64(text, radix: 16) else {
                throw ShellError("-v argument must be hexadecimal: \(text)")
            }
            version = number
        }
        let node = try await connected().reconfigure(
            joining: joining, leaving: leaving, members: members, fromVersion: version)
        console.line("Committed new configuration:")
        console.line(String(decoding: node.bytes, as: UTF8.self))
        if arguments.has("s") { show(node.stat) }
    }
}

import ConclaveClient
import ConclaveCore

extension ShellSession {
    // MARK: Making and removing

    func create(_ arguments: ShellArguments) async throws {
        let isSequential = arguments.has("s")
        let isEphemeral = arguments.has("e")
        let isContainer = arguments.has("c")
        if isContainer, isSequential || isEphemeral {
            throw ShellError("-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.")
        }
        let mode = try mode(arguments, isSequential: isSequential, isEphemeral: isEphemeral, isContainer: isContainer)
        let path = arguments.positional[0]
        // The server appends a number, so that a slash at the end is no end.
        if let sentence = ShellErrorText.sentence(forPath: isSequential ? path + "1" : path) {
            throw ShellError(sentence)
        }
        let data = arguments.positional.count > 1 ? Array(arguments.positional[1].utf8) : nil
        let acl = try arguments.positional.count > 2 ? ACLText.parse(arguments.positional[2]) : .open
        let node = try await connected().create(path, data, mode: mode, acl: acl)
        console.errorLine("Created \(node.path)")
    }

    private func mode(
        _ arguments: ShellArguments, isSequential: Bool, isEphemeral: Bool, isContainer: Bool
    ) throws(ShellError) -> CreateMode {
        if let text = arguments.value("t") {
            if isEphemeral || isContainer {
                throw ShellError("TTLs cannot be used with Ephemeral or Container znodes")
            }
            guard let milliseconds = Int64(text) else { throw ShellError("-t argument must be a long value") }
            guard (1...NodeOwner.maximumTimeToLiveMilliseconds).contains(milliseconds) else {
                let limit = NodeOwner.maximumTimeToLiveMilliseconds
                throw ShellError("ttl must be positive and cannot be larger than: \(limit)")
            }
            let time = Duration.milliseconds(milliseconds)
            return isSequential ? .timeToLiveSequential(time) : .timeToLive(time)
        }
        if isContainer { return .container }
        switch (isEphemeral, isSequential) {
        case (false, false): return .persistent
        case (true, false): return .ephemeral
        case (false, true): return .persistentSequential
        case (true, true): return .ephemeralSequential
        }
    }

    func delete(_ arguments: ShellArguments) async throws {
        let path = try path(arguments)
        try await connected().delete(path, version: try arguments.version())
    }

    func deleteAll(_ arguments: ShellArguments) async throws {
        if let batch = arguments.value("b"), Int(batch).map({ $0 < 1 }) ?? true {
            throw ShellError("-b argument must be a positive number: \(batch)")
        }
        let path = try path(arguments)
        try await connected().deleteSubtree(path)
    }

    // MARK: Reading and writing

    func get(_ arguments: ShellArguments) async throws {
        let path = try path(arguments)
        let client = try connected()
        let node: NodeData
        if arguments.has("w") {
            let (watched, change) = try await client.watchData(at: path)
            listen(for: change)
            node = watched
        } else {
            node = try await client.data(at: path)
        }
        if let data = node.data {
            if arguments.has("x") {
                for line in DataText.hexDump(data) { console.line(line) }
            } else if arguments.has("b") {
                console.line(Base64.encode(data))
            } else {
                console.line(DataText.text(data, forTerminal: console.isTerminal))
            }
        } else {
            console.line("null")
        }
        if arguments.has("s") { show(node.stat) }
    }

    func set(_ arguments: ShellArguments) async throws {
        let path = try path(arguments)
        var data = Array(arguments.positional[1].utf8)
        if arguments.has("b") {
            guard let decoded = Base64.decode(arguments.positional[1]) else {
                throw ShellError("the data is not base64")
            }
            data = decoded
        }
        let stat = try await connected().setData(at: path, to: data, version: try arguments.version())
        if arguments.has("s") { show(stat) }
    }

    func list(_ arguments: ShellArguments) async throws {
        let path = try path(arguments)
        let client = try connected()
        if arguments.has("R") { return try await listSubtree(path, client) }
        let children: Children
        if arguments.has("w") {
            let (watched, change) = try await client.watchChildren(of: path)
            listen(for: change)
            children = watched
        } else {
            children = try await client.children(of: path)
        }
        show(children.names)
        if arguments.has("s") { show(children.stat) }
    }

    /// Depth first, parents before their children; nodes that go meanwhile are passed over.
    private func listSubtree(_ path: String, _ client: ZooKeeperClient) async throws {
        var pending = [path]
        while let next = pending.popLast() {
            do {
                let names = try await client.children(of: next).names
                console.line(next)
                pending.append(contentsOf: Self.paths(of: names, below: next).reversed())
            } catch {
                // Somebody deleted it between its parent's listing and now.
                guard error.code == .noNode, next != path else { throw error }
            }
        }
    }

    private static func paths(of names: [String], below parent: String) -> [String] {
        names.map { parent == "/" ? "/" + $0 : parent + "/" + $0 }
    }

    func stat(_ arguments: ShellArguments) async throws {
        let path = try path(arguments)
        let client = try connected()
        let stat: Stat?
        if arguments.has("w") {
            let (found, change) = try await client.watchExists(path)
            listen(for: change)
            stat = found
        } else {
            stat = try await client.exists(path)
        }
        guard let stat else { throw ZooKeeperError(.noNode, path: path) }
        show(stat)
    }

    func sync(_ arguments: ShellArguments) async throws {
        let path = try path(arguments)
        do {
            try await connected().sync(path)
            console.line("Sync is OK")
        } catch let error as ZooKeeperError {
            throw ShellError("Sync has failed. rc=\(error.code.rawValue)")
        }
    }

    // MARK: Access control lists

    func getACL(_ arguments: ShellArguments) async throws {
        let path = try path(arguments)
        let (acl, stat) = try await connected().acl(of: path)
        for line in ACLText.lines(acl) { console.line(line) }
        if arguments.has("s") { show(stat) }
    }

    func setACL(_ arguments: ShellArguments) async throws {
        let path = try path(arguments)
        let acl = try ACLText.parse(arguments.positional[1])
        let version = try arguments.version()
        let client = try connected()
        guard arguments.has("R") else {
            let stat = try await client.setACL(of: path, to: acl, version: version)
            if arguments.has("s") { show(stat) }
            return
        }
        var pending = [path]
        while let next = pending.popLast() {
            // Children first: the new list may forbid to read them.
            let names = try await client.children(of: next).names
            pending.append(contentsOf: Self.paths(of: names, below: next).reversed())
            let stat = try await client.setACL(of: next, to: acl, version: version)
            if arguments.has("s") { show(stat) }
        }
    }

    // MARK: Many nodes

    func getEphemerals(_ arguments: ShellArguments) async throws {
        let prefix = arguments.positional.isEmpty ? "/" : try path(arguments)
        show(try await connected().ephemerals(under: prefix))
    }

    func countDescendants(_ arguments: ShellArguments) async throws {
        let path = try path(arguments)
        console.line("\(try await connected().descendantCount(of: path))")
    }

    // MARK: Watches

    func addWatch(_ arguments: ShellArguments) async throws {
        let path = try path(arguments)
        let isRecursive: Bool
        switch arguments.value("m")?.uppercased() {
        case nil, "PERSISTENT_RECURSIVE": isRecursive = true
        case "PERSISTENT": isRecursive = false
        default: throw ShellError(ShellCommand.find("addWatch")?.help ?? "")
        }
        listen(for: try await connected().watch(path, recursive: isRecursive))
    }

    func removeWatches(_ arguments: ShellArguments) async throws {
        let path = try path(arguments)
        let kind: WatchKind = arguments.has("c") ? .children : arguments.has("d") ? .data : .any
        try await connected().removeWatches(at: path, kind: kind)
    }
}

import ConclaveClient
import ConclaveCore

extension ShellSession {
    func listQuota(_ arguments: ShellArguments) async throws {
        let path = try path(arguments)
        let client = try connected()
        let folder = QuotaText.folder(of: path)
        console.errorLine("absolute path is \(folder)/\(QuotaText.limitsName)")
        do {
            let limits = try await client.data(at: "\(folder)/\(QuotaText.limitsName)")
            console.line("Output quota for \(path) " + QuotaText(String(decoding: limits.bytes, as: UTF8.self)).text)
            let usage = try await client.data(at: "\(folder)/\(QuotaText.statsName)")
            console.line("Output stat for \(path) " + QuotaText(String(decoding: usage.bytes, as: UTF8.self)).text)
        } catch {
            guard error.code == .noNode else { throw error }
            console.errorLine("quota for \(path) does not exist.")
        }
    }

    func setQuota(_ arguments: ShellArguments) async throws {
        let usage = ShellCommand.find("setquota")?.help ?? ""
        let letters = ["n", "b", "N", "B"].filter { arguments.value($0) != nil }
        guard letters.count == 1, let letter = letters.first, let text = arguments.value(letter) else {
            throw ShellError(usage)
        }
        guard let value = Int64(text) else {
            throw ShellError("NumberFormatException happens when parsing the option value")
        }
        let path = try path(arguments)
        let client = try connected()
        guard try await client.exists(path) != nil else { throw ShellError("\(path) does not exist.") }
        try await checkNesting(of: path, client)
        let folder = QuotaText.folder(of: path)
        let limitsPath = "\(folder)/\(QuotaText.limitsName)"
        var limits = QuotaText()
        if try await client.exists(limitsPath) != nil {
            limits = QuotaText(String(decoding: try await client.data(at: limitsPath).bytes, as: UTF8.self))
        }
        limits.set(letter, to: value)
        let bytes = Array(limits.text.utf8)
        try await client.ensurePath(folder)
        do {
            try await client.create(limitsPath, bytes)
            // The server counts what is there when this node appears.
            try await client.create("\(folder)/\(QuotaText.statsName)", Array("count=0,bytes=0".utf8))
        } catch {
            guard error.code == .nodeExists else { throw error }
            try await client.setData(at: limitsPath, to: bytes)
        }
    }

    /// A node has at most one quota above, at or below it.
    private func checkNesting(of path: String, _ client: ZooKeeperClient) async throws {
        var ancestor = NodePath(path).parent
        while let above = ancestor, above != .root {
            if try await client.exists("\(QuotaText.folder(of: above.text))/\(QuotaText.limitsName)") != nil {
                throw ShellError("\(path) has a parent \(above) which has a quota")
            }
            ancestor = above.parent
        }
        var pending = [path]
        while let next = pending.popLast() {
            let names: [String]
            do {
                names = try await client.children(of: QuotaText.folder(of: next)).names
            } catch {
                guard error.code == .noNode else { throw error }
                continue
            }
            for name in names where name != QuotaText.limitsName && name != QuotaText.statsName {
                let child = next == "/" ? "/" + name : "\(next)/\(name)"
                if try await client.exists("\(QuotaText.folder(of: child))/\(QuotaText.limitsName)") != nil {
                    throw ShellError("\(path) has child \(child) which has a quota")
                }
                pending.append(child)
            }
        }
    }

    func deleteQuota(_ arguments: ShellArguments) async throws {
        let path = try path(arguments)
        let letters = ["n", "b", "N", "B"].filter { arguments.has(Character($0)) }
        guard letters.count < 2 else { throw ShellError(ShellCommand.find("delquota")?.help ?? "") }
        let client = try connected()
        let folder = QuotaText.folder(of: path)
        let limitsPath = "\(folder)/\(QuotaText.limitsName)"
        do {
            if let letter = letters.first {
                let node = try await client.data(at: limitsPath)
                var limits = QuotaText(String(decoding: node.bytes, as: UTF8.self))
                limits.set(letter, to: -1)
                try await client.setData(at: limitsPath, to: Array(limits.text.utf8), version: node.stat.version)
            } else {
                try await client.delete(limitsPath)
                try await client.delete("\(folder)/\(QuotaText.statsName)")
                try await removeEmptyFolders(from: folder, client)
            }
        } catch let error as ZooKeeperError where error.code == .noNode {
            console.line("Quota does not exist for \(path)")
        }
    }

    /// Removes the nodes between a quota and `/zookeeper/quota` that are of no use any more.
    private func removeEmptyFolders(from folder: String, _ client: ZooKeeperClient) async throws {
        var next: NodePath? = NodePath(folder)
        while let path = next, path.text != QuotaText.root {
            do {
                try await client.delete(path.text)
            } catch {
                guard error.code == .notEmpty || error.code == .noNode else { throw error }
                return
            }
            next = path.parent
        }
    }
}

extension QuotaText {
    /// Sets the limit that the letter of the shell's option stands for.
    fileprivate mutating func set(_ letter: String, to value: Int64) {
        switch letter {
        case "n": count = value
        case "b": bytes = value
        case "N": countHardLimit = value
        default: byteHardLimit = value
        }
    }
}

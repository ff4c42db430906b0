import ConclaveCore

/// Transactions as lines and as JSON.
package struct TransactionPrinter: Sendable {
    private let isVerbose: Bool
    private let style: Style
    private let date: @Sendable (Int64) -> String

    package init(
        isVerbose: Bool, style: Style, date: @escaping @Sendable (Int64) -> String = { DateText.precise($0) }
    ) {
        self.isVerbose = isVerbose
        self.style = style
        self.date = date
    }

    /// One line, and more for the parts of a multi and, if asked for, for data.
    package func lines(_ transaction: Transaction) -> [String] {
        let header = transaction.header
        let session = header.session.description
        var line = style.bold(pad(header.zxid.description, 10)) + "  " + style.dim(date(header.timeMilliseconds))
        line += "  " + style.dim(pad(session, 19) + pad("#\(header.cxid)", 7))
        let parts = describe(transaction.change)
        line += parts[0]
        if isVerbose, let digest = transaction.digest { line += style.dim("  digest \(digest.value)") }
        return [line] + parts.dropFirst().map { "    " + $0 }
    }

    /// The first line says what was done; the others are parts and details.
    private func describe(_ change: Change) -> [String] {
        switch change {
        case .create(let create):
            var words = style.green("create") + " \(create.path)"
            switch create.form {
            case .create, .create2: words += create.isEphemeral ? " ephemeral" : ""
            case .container: words += " container"
            case .timeToLive: words += " for \(DurationText.format(.milliseconds(create.timeToLiveMilliseconds)))"
            }
            return [words + size(create.data)] + details(create.data, create.acl)
        case .delete(let path): return [style.red("delete") + " \(path)"]
        case .deleteContainer(let path): return [style.red("delete") + " \(path) (empty container or expired)"]
        case .setData(let path, let data, let version):
            return [style.yellow("set") + " \(path) to version \(version)" + size(data)] + details(data, nil)
        case .reconfigure(let path, let data, let version):
            return [style.yellow("reconfigure") + " \(path) to version \(version)" + size(data)] + details(data, nil)
        case .setACL(let path, let acl, let version):
            return [style.yellow("setAcl") + " \(path) to version \(version)"] + details(nil, acl)
        case .createSession(let timeout): return [style.cyan("open session") + ", time-out \(timeout) ms"]
        case .closeSession(let paths):
            let first = style.cyan("close session") + (paths.map { ", \($0.count) ephemerals" } ?? "")
            return [first] + (isVerbose ? (paths ?? []).map(\.text) : [])
        case .error(let code):
            let name = ZooKeeperError.Code(rawValue: code)
            return [style.red("refused") + ": \(name) (\(code))"]
        case .check(let path, let version): return ["check \(path) has version \(version)"]
        case .multi(let changes):
            return [style.magenta("multi") + " of \(changes.count)"] + changes.flatMap { describe($0) }
        }
    }

    private func size(_ data: [UInt8]?) -> String { data.map { ", \($0.count) bytes" } ?? ", null" }

    private func details(_ data: [UInt8]?, _ acl: [ACL]?) -> [String] {
        guard isVerbose else { return [] }
        var lines: [String] = []
        if let data, !data.isEmpty { lines.append("data " + DataText.preview(data)) }
        if let acl {
            lines += acl.map { "acl \($0.identity.scheme):\($0.identity.id):\(ACLText.letters($0.permissions))" }
        }
        return lines
    }

    private func pad(_ text: String, _ width: Int) -> String { HelpText.pad(text, to: width) }

    // MARK: JSON

    package func json(_ transaction: Transaction, offset: Int64, length: Int64) -> JSON {
        let header = transaction.header
        var members: [(key: String, value: JSON)] = [
            ("zxid", .string(header.zxid.description)), ("time", .integer(header.timeMilliseconds)),
            ("session", .string(header.session.description)), ("cxid", .integer(Int64(header.cxid))),
            ("offset", .integer(offset)), ("length", .integer(length)),
        ]
        members += self.members(transaction.change)
        if let digest = transaction.digest { members.append(("digest", .string("\(digest.value)"))) }
        return .object(members)
    }

    private func members(_ change: Change) -> [(key: String, value: JSON)] {
        switch change {
        case .create(let create):
            var members: [(key: String, value: JSON)] = [("op", "create"), ("path", .string(create.path.text))]
            members.append(("ephemeral", .bool(create.isEphemeral)))
            if create.form == .container { members.append(("container", true)) }
            if create.form == .timeToLive { members.append(("ttl", .integer(create.timeToLiveMilliseconds))) }
            return members + json(create.data, create.acl)
        case .delete(let path): return [("op", "delete"), ("path", .string(path.text))]
        case .deleteContainer(let path): return [("op", "deleteContainer"), ("path", .string(path.text))]
        case .setData(let path, let data, let version): return versioned("setData", path, version) + json(data, nil)
        case .reconfigure(let path, let data, let version):
            return versioned("reconfig", path, version) + json(data, nil)
        case .setACL(let path, let acl, let version):
            return versioned("setAcl", path, version) + json(nil, acl, only: true)
        case .createSession(let timeout): return [("op", "createSession"), ("timeout", .integer(Int64(timeout)))]
        case .closeSession(let paths):
            let list: JSON = paths.map { .array($0.map { .string($0.text) }) } ?? .null
            return [("op", "closeSession"), ("ephemerals", list)]
        case .error(let code): return [("op", "error"), ("code", .integer(Int64(code)))]
        case .check(let path, let version): return versioned("check", path, version)
        case .multi(let changes):
            return [("op", "multi"), ("parts", .array(changes.map { .object(self.members($0)) }))]
        }
    }

    private func versioned(_ operation: String, _ path: NodePath, _ version: Int32) -> [(key: String, value: JSON)] {
        [("op", .string(operation)), ("path", .string(path.text)), ("version", .integer(Int64(version)))]
    }

    private func json(_ data: [UInt8]?, _ acl: [ACL]?, only: Bool = false) -> [(key: String, value: JSON)] {
        var members: [(key: String, value: JSON)] = []
        if !only { members.append(("dataLength", data.map { .integer(Int64($0.count)) } ?? .null)) }
        guard isVerbose else { return members }
        if !only { members.append(("dataBase64", data.map { .string(Base64.encode($0)) } ?? .null)) }
        if let acl {
            let entries = acl.map { "\($0.identity.scheme):\($0.identity.id):\(ACLText.letters($0.permissions))" }
            members.append(("acl", .array(entries.map(JSON.string))))
        }
        return members
    }
}

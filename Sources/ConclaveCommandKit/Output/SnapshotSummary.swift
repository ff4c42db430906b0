import ConclaveCore
import ConclaveStorage
import ConclaveWire

/// Takes the parts of a snapshot as they are read and tells about them.
struct SnapshotSummary: RecoveryTarget {
    /// What is counted for a folder directly below the root.
    private struct Share {
        var nodes = 0
        var bytes: Int64 = 0

        mutating func add(_ size: Int) {
            nodes += 1
            bytes += Int64(size)
        }
    }

    private let console: Console
    private let isVerbose: Bool
    private let isJSON: Bool
    private var sessions: [(id: SessionID, timeoutMilliseconds: Int32)] = []
    private var ephemerals: [SessionID: Int] = [:]
    private var aclCount = 0
    private var dataBytes: Int64 = 0
    private var containers = 0
    private var timed = 0
    private var shares: [String: Share] = [:]
    private var largest: (path: String, bytes: Int)?
    private var newest = Zxid.zero

    /// How many folders are shown.
    private static let shareLimit = 10

    init(console: Console, isVerbose: Bool, isJSON: Bool) {
        self.console = console
        self.isVerbose = isVerbose
        self.isJSON = isJSON
    }

    func beginSnapshot() {}

    mutating func session(_ session: SessionID, timeoutMilliseconds: Int32) {
        sessions.append((session, timeoutMilliseconds))
    }

    mutating func acl(key: Int64, _ acl: [ACL]) {
        aclCount += 1
        guard isVerbose, !isJSON else { return }
        let text = acl.map { "\($0.identity.scheme):\($0.identity.id):\(ACLText.letters($0.permissions))" }
        console.line("acl \(key): " + text.joined(separator: ","))
    }

    mutating func node(path: Span<UInt8>, data: Span<UInt8>?, aclKey: Int64, stat: StoredStat) -> Bool {
        let text = path.isEmpty ? "/" : String(decoding: Self.copy(path), as: UTF8.self)
        let size = data?.count ?? 0
        dataBytes += Int64(size)
        newest = max(newest, max(stat.mzxid, stat.pzxid))
        if size > largest?.bytes ?? 0 { largest = (text, size) }
        if let folder = text.split(separator: "/").first { shares[String(folder), default: Share()].add(size) }
        // A snapshot does not say whether extended types were on; nobody else makes owners with this prefix.
        let owner = NodeOwner(stored: stat.owner, extendedTypes: true)
        switch owner {
        case .persistent: break
        case .container: containers += 1
        case .timeToLive: timed += 1
        case .ephemeral(let session): ephemerals[session, default: 0] += 1
        }
        if isVerbose {
            let bytes: [UInt8]? = if let data { Self.copy(data) } else { nil }
            show(text, bytes, aclKey, stat, owner)
        }
        return true
    }

    private static func copy(_ span: Span<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(span.count)
        for index in span.indices { bytes.append(span[index]) }
        return bytes
    }

    func endSnapshot(zxid: Zxid, digest: (zxid: Zxid, digest: TreeDigest)?) {}

    func replay(_ transaction: Transaction) {}

    // MARK: Telling

    private func show(_ path: String, _ data: [UInt8]?, _ aclKey: Int64, _ stat: StoredStat, _ owner: NodeOwner) {
        if isJSON {
            let members: [(key: String, value: JSON)] = [
                ("path", .string(path)), ("dataBase64", data.map { .string(Base64.encode($0)) } ?? .null),
                ("aclKey", .integer(aclKey)), ("czxid", .string(stat.czxid.description)),
                ("mzxid", .string(stat.mzxid.description)), ("pzxid", .string(stat.pzxid.description)),
                ("ctime", .integer(stat.ctime)), ("mtime", .integer(stat.mtime)),
                ("version", .integer(Int64(stat.version))), ("childCreates", .integer(Int64(stat.childCreates))),
                ("aclVersion", .integer(Int64(stat.aversion))), ("owner", .string(Self.text(owner))),
            ]
            return console.line(JSON.object(members).text)
        }
        console.line(console.style.bold(path))
        var line = "    czxid \(stat.czxid)  mzxid \(stat.mzxid)  pzxid \(stat.pzxid)  version \(stat.version)"
        line += "  children ever \(stat.childCreates)  acl \(aclKey)  " + Self.text(owner)
        console.line(console.style.dim(line))
        console.line("    " + (data.map { DataText.preview($0) } ?? "null"))
    }

    private static func text(_ owner: NodeOwner) -> String {
        switch owner {
        case .persistent: "persistent"
        case .container: "container"
        case .timeToLive(let milliseconds): "ttl \(milliseconds) ms"
        case .ephemeral(let session): "ephemeral of \(session)"
        }
    }

    func finish(_ report: StoredFile.SnapshotReport) {
        if isJSON { return console.line(summary(report).text) }
        let style = console.style
        var rows = [
            ["through", report.zxid.description], ["nodes", "\(report.nodes)"], ["data", "\(dataBytes) bytes"],
            ["ephemerals", "\(ephemerals.values.reduce(0, +)) of \(ephemerals.count) sessions"],
            ["containers", "\(containers)"], ["with a time to live", "\(timed)"], ["sessions", "\(sessions.count)"],
            ["access control lists", "\(aclCount)"],
        ]
        if let largest { rows.append(["largest node", "\(largest.path), \(largest.bytes) bytes"]) }
        if let digest = report.digest { rows.append(["digest", "\(digest.digest.value) after \(digest.zxid)"]) }
        for row in Columns.table(rows.map { [style.dim($0[0]), $0[1]] }) { console.line(row) }
        if isVerbose {
            for session in sessions {
                console.line(
                    "session \(session.id), time-out \(session.timeoutMilliseconds) ms, "
                        + "\(ephemerals[session.id] ?? 0) ephemerals")
            }
        }
        let sorted = shares.sorted { ($1.value.nodes, $0.key) < ($0.value.nodes, $1.key) }
        console.line()
        let folders = sorted.prefix(Self.shareLimit).map {
            ["/" + $0.key, "\($0.value.nodes) nodes", "\($0.value.bytes) bytes"]
        }
        for row in Columns.table(folders) { console.line(row) }
        if sorted.count > Self.shareLimit { console.line("… and \(sorted.count - Self.shareLimit) more") }
        console.line()
        console.line(style.green("sound"))
    }

    private func summary(_ report: StoredFile.SnapshotReport) -> JSON {
        .object([
            ("state", "sound"), ("zxid", .string(report.zxid.description)), ("nodes", .integer(Int64(report.nodes))),
            ("dataBytes", .integer(dataBytes)), ("ephemerals", .integer(Int64(ephemerals.values.reduce(0, +)))),
            ("containers", .integer(Int64(containers))), ("timeToLive", .integer(Int64(timed))),
            (
                "sessions",
                .array(
                    sessions.map {
                        .object([
                            ("id", .string($0.id.description)), ("timeout", .integer(Int64($0.timeoutMilliseconds))),
                        ])
                    })
            ), ("acls", .integer(Int64(aclCount))),
            ("digest", report.digest.map { .string("\($0.digest.value)") } ?? .null),
            ("digestZxid", report.digest.map { .string($0.zxid.description) } ?? .null),
        ])
    }
}

import ConclaveCore
import ConclaveTree

/// The rules of the tree once more, in the plainest form: a dictionary of paths.
struct TreeModel {
    struct Node {
        var stat: StoredStat
        var data: [UInt8]?
        var acl: [ACL]
    }

    var nodes: [NodePath: Node] = [:]
    var sessions: [SessionID: Int32] = [:]
    var lastProcessed = Zxid.zero
    var events: [String] = []
    let extendedTypes: Bool

    init(extendedTypes: Bool) {
        self.extendedTypes = extendedTypes
        for (path, acl, aversion) in [
            ("/", [ACL].open, 0), ("/zookeeper", .open, 0), ("/zookeeper/quota", .open, 0),
            ("/zookeeper/config", .readOnly, -1),
        ] as [(NodePath, [ACL], Int32)] {
            let stat = StoredStat(
                czxid: .zero, mzxid: .zero, ctime: 0, mtime: 0, version: 0, childCreates: 0, aversion: aversion,
                owner: 0,
                pzxid: .zero)
            nodes[path] = Node(stat: stat, data: [], acl: acl)
        }
    }

    mutating func apply(_ transaction: Transaction) {
        events = []
        let header = transaction.header
        switch transaction.change {
        case .multi(let parts):
            let fails = parts.contains { if case .error = $0 { true } else { false } }
            if !fails { for part in parts { applyPart(part, header) } }
        case .createSession(let timeout):
            sessions[header.session] = timeout
        case .closeSession(let paths):
            for path in paths ?? [] { delete(path, header.zxid) }
            for path in ephemerals(header.session) { delete(path, header.zxid) }
            sessions[header.session] = nil
        default: applyPart(transaction.change, header)
        }
        lastProcessed = max(lastProcessed, header.zxid)
    }

    func ephemerals(_ session: SessionID) -> [NodePath] {
        nodes.filter { owner($0.value) == .ephemeral(session) }.keys.sorted()
    }

    func owner(_ node: Node) -> NodeOwner { NodeOwner(stored: node.stat.owner, extendedTypes: extendedTypes) }

    func children(_ path: NodePath) -> [NodePath] {
        nodes.keys.filter { $0 != .root && Self.parent($0) == path }.sorted()
    }

    private mutating func applyPart(_ change: Change, _ header: TransactionHeader) {
        switch change {
        case .create(let create): self.create(create, header)
        case .delete(let path), .deleteContainer(let path): delete(path, header.zxid)
        case .setData(let path, let data, let version), .reconfigure(let path, let data, let version):
            let path = path.utf8.isEmpty ? .root : path
            guard nodes[path] != nil else { return }
            nodes[path]?.data = data
            nodes[path]?.stat.version = version
            nodes[path]?.stat.mzxid = header.zxid
            nodes[path]?.stat.mtime = header.timeMilliseconds
            events.append("changed \(path)")
        case .setACL(let path, let acl, let version):
            let path = path.utf8.isEmpty ? .root : path
            nodes[path]?.acl = acl
            nodes[path]?.stat.aversion = version
        default: break
        }
    }

    /// `nil` where no node can be.
    private static func parent(_ path: NodePath) -> NodePath? {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash + 1 < path.utf8.count else { return nil }
        return slash == 0 ? .root : NodePath(utf8: Array(path.utf8[..<slash]))
    }

    private mutating func create(_ create: CreateChange, _ header: TransactionHeader) {
        guard let parent = Self.parent(create.path), create.path.utf8.first == UInt8(ascii: "/"),
            parent != .root || create.path.utf8.lastIndex(of: UInt8(ascii: "/")) == 0, let parentNode = nodes[parent]
        else { return }
        let current = parentNode.stat.childCreates
        let target = create.parentChildCreates == -1 ? current &+ 1 : create.parentChildCreates
        if target > current {
            nodes[parent]?.stat.childCreates = target
            nodes[parent]?.stat.pzxid = header.zxid
        }
        guard nodes[create.path] == nil else {
            nodes[create.path]?.acl = create.acl
            return
        }
        let owner: Int64 =
            switch create.form {
            case .container: .min
            case .timeToLive: NodeOwner.timeToLivePrefix | (create.timeToLiveMilliseconds & 0xFF_FFFF_FFFF)
            default: create.isEphemeral ? header.session.rawValue : 0
            }
        let (zxid, time) = (header.zxid, header.timeMilliseconds)
        let stat = StoredStat(
            czxid: zxid, mzxid: zxid, ctime: time, mtime: time, version: 0, childCreates: 0, aversion: 0, owner: owner,
            pzxid: zxid)
        nodes[create.path] = Node(stat: stat, data: create.data, acl: create.acl)
        events.append("created \(create.path)")
    }

    private mutating func delete(_ path: NodePath, _ zxid: Zxid) {
        guard let parent = Self.parent(path), path.utf8.first == UInt8(ascii: "/"),
            parent != .root || path.utf8.lastIndex(of: UInt8(ascii: "/")) == 0, let parentNode = nodes[parent]
        else { return }
        nodes[parent]?.stat.pzxid = max(parentNode.stat.pzxid, zxid)
        guard nodes[path] != nil else { return }
        let below = nodes.keys.filter { $0.utf8.starts(with: path.utf8 + [UInt8(ascii: "/")]) }
        for descendant in below.sorted() {
            nodes[descendant] = nil
            events.append("deleted \(descendant)")
        }
        nodes[path] = nil
        events.append("deleted \(path)")
    }
}

extension TreeEffects.Effect {
    /// For comparison with the model; `nil` for what happens to sessions.
    var text: String? {
        switch self {
        case .created(let path, _, _): "created \(path)"
        case .deleted(let path, _, _): "deleted \(path)"
        case .dataChanged(let path, _): "changed \(path.utf8.isEmpty ? .root : path)"
        case .sessionCreated, .sessionClosed: nil
        }
    }
}

/// Random transactions, sensible and not, over a small set of paths.
struct TransactionGenerator {
    var random: SeededRandom
    var zxid: Int64 = 0
    /// Includes paths that no node may have.
    var hostile = true
    /// Includes the nodes that the server itself needs.
    var touchesBuiltIn = true
    private let names = ["a", "b", "c", "dd", "e", "f", "g", "quota", "zookeeper"]

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    private mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }

    mutating func path() -> NodePath {
        if hostile, below(20) == 0 {
            return ["", "/", "//", "a", "/a/", "//a", "/a//b", "/./..", "/\u{0}"][below(9)]
        }
        var text = ""
        for _ in 0...below(1 + below(3)) { text += "/" + names[below(names.count - (touchesBuiltIn ? 0 : 1))] }
        return NodePath(text)
    }

    private mutating func data() -> [UInt8]? {
        switch below(6) {
        case 0: nil
        case 1: []
        case 2: [UInt8](repeating: UInt8(below(256)), count: below(6000))
        default: [UInt8](repeating: UInt8(below(256)), count: below(40))
        }
    }

    private mutating func acl() -> [ACL] {
        switch below(5) {
        case 0: .readOnly
        case 1: [ACL(.all, for: Identity(scheme: "digest", id: "u:\(below(3))"))]
        case 2: hostile ? [] : .open
        default: .open
        }
    }

    private mutating func number() -> Int32 {
        switch below(10) {
        case 0: .max
        case 1: .min
        case 2: -1
        default: Int32(below(50))
        }
    }

    private mutating func change() -> Change {
        switch below(20) {
        case 0..<13:
            let form: CreateChange.Form = [.create, .create, .create2, .container, .timeToLive][below(5)]
            return Make.create(
                path(), data(), acl: acl(), form: form, ephemeral: below(3) == 0, creates: number(),
                ttl: hostile && below(5) == 0 ? Int64(bitPattern: random.next()) : Int64(below(100)))
        case 13: return .delete(path: path())
        case 14: return .deleteContainer(path: path())
        case 15, 16: return .setData(path: path(), data: data(), version: number())
        case 17, 18: return .setACL(path: path(), acl: acl(), version: number())
        default:
            return below(2) == 0
                ? .check(path: path(), version: number()) : .reconfigure(path: path(), data: data(), version: -1)
        }
    }

    mutating func next() -> Transaction {
        zxid += Int64(1 + below(3))
        let session = SessionID(rawValue: [0x1_0001, 0x1_0002, -3, .min, 0][below(hostile ? 5 : 3)])
        let change: Change
        switch below(40) {
        case 0, 1: change = .createSession(timeoutMilliseconds: number())
        case 2:
            var paths: [NodePath] = []
            for _ in 0..<below(3) { paths.append(path()) }
            change = .closeSession(paths: below(4) == 0 ? nil : paths)
        case 3: change = .error(code: number())
        case 4..<8:
            var parts: [Change] = []
            for _ in 0..<below(5) { parts.append(self.change()) }
            if hostile, below(5) == 0 { parts.append(.error(code: 0)) }
            if hostile, below(5) == 0 { parts.append(.multi([self.change()])) }
            if hostile, below(5) == 0 { parts.append(.closeSession(paths: [path()])) }
            change = .multi(parts)
        default: change = self.change()
        }
        // Now and then one of the past, as a replay over a fuzzy snapshot brings it.
        let shown = hostile && below(10) == 0 ? max(1, zxid - Int64(below(50))) : zxid
        let time = hostile && below(30) == 0 ? Int64.min : 1_000_000 + zxid
        return Transaction(header: Make.header(shown, session: session, time: time), change: change)
    }
}

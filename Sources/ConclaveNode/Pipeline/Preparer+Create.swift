import ConclaveCore
import ConclaveTree
import ConclaveWire

/// The create family. The order of the checks fixes which code is answered when several apply (wire-protocol, section 7).
extension Preparer {
    mutating func prepareCreate(
        _ request: CreateRequest, header: TransactionHeader, identities: [Identity], tree: borrowing DataTree
    ) throws(Refusal) -> (Change, Answer) {
        let kind = try kind(of: request)
        guard let parentPath = request.path.lenientParent else { throw Refusal(.badArguments) }
        guard let acl = AccessControl.normalise(request.acl, identities: identities, schemes: options.schemes) else {
            throw Refusal(.invalidACL)
        }
        guard var parent = pending.node(at: parentPath, in: tree) else { throw Refusal(.noNode) }
        try require(.create, on: parent, identities: identities)
        var path = request.path
        if kind.isSequential { path = path.withSequence(parent.stat.childCreates) }
        guard path.violation == nil else { throw Refusal(.badArguments) }
        guard pending.node(at: path, in: tree) == nil else { throw Refusal(.nodeExists) }
        if case .ephemeral = NodeOwner(stored: parent.stat.owner, extendedTypes: options.extendedTypes) {
            throw Refusal(.noChildrenForEphemerals)
        }
        if options.enforceQuota, tree.quotaViolation(adding: request.data?.count ?? 0, nodes: 1, at: path) {
            throw Refusal(.quotaExceeded)
        }
        let zxid = header.zxid
        let childCreates = parent.stat.childCreates &+ 1
        let owner: NodeOwner =
            switch kind.form {
            case .container: .container
            case .timeToLive: .timeToLive(milliseconds: request.timeToLiveMilliseconds)
            case .create, .create2: kind.isEphemeral ? .ephemeral(header.session) : .persistent
            }
        let stat = StoredStat(
            czxid: zxid, mzxid: zxid, ctime: header.timeMilliseconds, mtime: header.timeMilliseconds, version: 0,
            childCreates: 0, aversion: 0, owner: owner.stored, pzxid: zxid)
        let node = PendingChanges.Node(
            zxid: zxid, exists: true, stat: stat, childCount: 0, data: .bytes(request.data),
            acl: acl == .open ? nil : acl, digest: 0)
        update(node, at: path, replacing: nil, tree: tree)
        parent.childCount += 1
        if childCreates > parent.stat.childCreates {
            parent.stat.childCreates = childCreates
            parent.stat.pzxid = zxid
        }
        parent.zxid = zxid
        update(parent, at: parentPath, replacing: parent.digest, tree: tree)

        let change = CreateChange(
            form: kind.form, path: path, data: request.data, acl: acl, isEphemeral: kind.isEphemeral,
            parentChildCreates: childCreates, timeToLiveMilliseconds: request.timeToLiveMilliseconds)
        let answer: Answer =
            request.operation == .create ? .path(path) : .created(path, node.publicStat(options: options))
        return (.create(change), answer)
    }

    private struct Kind {
        var form: CreateChange.Form
        var isEphemeral: Bool
        var isSequential: Bool
    }

    /// Checks flags and time to live. The operation selects the record, the flags the kind of node.
    private func kind(of request: CreateRequest) throws(Refusal) -> Kind {
        guard (0...6).contains(request.flags) else { throw Refusal(.badArguments) }
        let hasTimeToLive = request.flags >= 5
        if hasTimeToLive, !options.extendedTypes { throw Refusal(.unimplemented) }
        // Modes and operations with a time to live belong together: the reference takes some mixtures, and a transaction of
        // one of them ends its server.
        guard hasTimeToLive == (request.operation == .createTTL) else { throw Refusal(.badArguments) }
        if hasTimeToLive {
            let allowed = 1...NodeOwner.maximumTimeToLiveMilliseconds
            guard allowed.contains(request.timeToLiveMilliseconds) else { throw Refusal(.badArguments) }
        }
        let form: CreateChange.Form =
            switch request.operation {
            case .createTTL: .timeToLive
            case .createContainer: .container
            case .create2: request.flags == 4 ? .container : .create2
            default: request.flags == 4 ? .container : .create
            }
        return Kind(
            form: form, isEphemeral: request.flags == 1 || request.flags == 3,
            isSequential: request.flags == 2 || request.flags == 3 || request.flags == 6)
    }
}

extension NodePath {
    /// The path with the ten digits of a sequence number behind it, `%010d` of a signed 32-bit number in ASCII digits.
    func withSequence(_ number: Int32) -> NodePath {
        var digits = Array(String(number.magnitude).utf8)
        let width = number < 0 ? 9 : 10
        if digits.count < width { digits = [UInt8](repeating: UInt8(ascii: "0"), count: width - digits.count) + digits }
        if number < 0 { digits.insert(UInt8(ascii: "-"), at: 0) }
        return NodePath(utf8: utf8 + digits)
    }
}

extension PendingChanges.Node {
    /// The stat as clients see it.
    func publicStat(options: ServerOptions) -> Stat {
        let owner: SessionID =
            switch NodeOwner(stored: stat.owner, extendedTypes: options.extendedTypes) {
            case .ephemeral(let session): session
            case .persistent, .container, .timeToLive: .none
            }
        let length: Int =
            switch data {
            case .bytes(let bytes): bytes?.count ?? 0
            case .inTree: 0
            }
        let children = Int32(truncatingIfNeeded: childCount)
        return Stat(
            czxid: stat.czxid, mzxid: stat.mzxid, ctime: stat.ctime, mtime: stat.mtime, version: stat.version,
            cversion: stat.childCreates &* 2 &- children, aversion: stat.aversion, ephemeralOwner: owner,
            dataLength: Int32(truncatingIfNeeded: length), numChildren: children, pzxid: stat.pzxid)
    }
}

import ConclaveConsensus
import ConclaveCore
import ConclaveTree
import ConclaveWire

/// Every write but the creates.
extension Preparer {
    mutating func prepare(
        _ request: ClientRequest, header: TransactionHeader, identities: [Identity], tree: borrowing DataTree
    ) throws(Refusal) -> (Change, Answer) {
        switch request {
        case .create(let create):
            return try prepareCreate(create, header: header, identities: identities, tree: tree)
        case .delete(let path, let version):
            return try prepareDelete(path, version: version, header: header, identities: identities, tree: tree)
        case .setData(let path, let data, let version):
            return try prepareSetData(
                path, data, version: version, header: header, identities: identities, tree: tree)
        case .setACL(let path, let acl, let version):
            return try prepareSetACL(path, acl, version: version, header: header, identities: identities, tree: tree)
        case .check(let path, let version):
            return try prepareCheck(path, version: version, identities: identities, tree: tree)
        case .multi(let parts):
            return prepareMulti(parts, header: header, identities: identities, tree: tree)
        case .reconfig(let joining, let leaving, let newMembers, let version):
            let wish = Reconfiguration(
                joining: joining, leaving: leaving, newMembers: newMembers, expectedVersion: version)
            return try prepareReconfigure(wish, header: header, identities: identities, tree: tree)
        case .exists, .getData, .getACL, .getChildren, .getChildren2, .sync, .ping, .multiRead, .checkWatches,
            .removeWatches, .auth, .sasl, .setWatches, .getEphemerals, .getAllChildrenNumber, .addWatch, .whoAmI,
            .closeSession:
            throw Refusal(.unimplemented)
        }
    }

    private mutating func prepareDelete(
        _ path: NodePath, version: Int32, header: TransactionHeader, identities: [Identity], tree: borrowing DataTree
    ) throws(Refusal) -> (Change, Answer) {
        let builtIn: [NodePath] = [.root, "/zookeeper", "/zookeeper/quota", "/zookeeper/config"]
        guard !builtIn.contains(path), let parentPath = path.lenientParent else { throw Refusal(.badArguments) }
        guard let parent = pending.node(at: parentPath, in: tree) else { throw Refusal(.noNode) }
        try require(.delete, on: parent, identities: identities)
        guard let node = pending.node(at: path, in: tree) else { throw Refusal(.noNode) }
        guard version == -1 || version == node.stat.version else { throw Refusal(.badVersion) }
        guard node.childCount == 0 else { throw Refusal(.notEmpty) }
        remove(path, zxid: header.zxid, tree: tree)
        return (.delete(path: path), .nothing)
    }

    private mutating func prepareSetData(
        _ path: NodePath, _ data: [UInt8]?, version: Int32, header: TransactionHeader, identities: [Identity],
        tree: borrowing DataTree
    ) throws(Refusal) -> (Change, Answer) {
        guard path.violation == nil else { throw Refusal(.badArguments) }
        guard var node = pending.node(at: path, in: tree) else { throw Refusal(.noNode) }
        try require(.write, on: node, identities: identities)
        if options.enforceQuota {
            let before =
                switch node.data {
                case .inTree(let index): tree.dataLength(of: index)
                case .bytes(let bytes): bytes?.count ?? 0
                }
            if tree.quotaViolation(adding: (data?.count ?? 0) - before, nodes: 0, at: path) {
                throw Refusal(.quotaExceeded)
            }
        }
        node.stat.version = try next(node.stat.version, expected: version)
        node.stat.mzxid = header.zxid
        node.stat.mtime = header.timeMilliseconds
        node.data = .bytes(data)
        node.zxid = header.zxid
        update(node, at: path, replacing: node.digest, tree: tree)
        return (
            .setData(path: path, data: data, version: node.stat.version), .stat(node.publicStat(options: options))
        )
    }

    private mutating func prepareSetACL(
        _ path: NodePath, _ acl: [ACL], version: Int32, header: TransactionHeader, identities: [Identity],
        tree: borrowing DataTree
    ) throws(Refusal) -> (Change, Answer) {
        guard path.violation == nil else { throw Refusal(.badArguments) }
        guard let acl = AccessControl.normalise(acl, identities: identities, schemes: options.schemes) else {
            throw Refusal(.invalidACL)
        }
        guard var node = pending.node(at: path, in: tree) else { throw Refusal(.noNode) }
        try require(.admin, on: node, identities: identities)
        node.stat.aversion = try next(node.stat.aversion, expected: version)
        node.acl = acl == .open ? nil : acl
        node.zxid = header.zxid
        update(node, at: path, replacing: node.digest, tree: tree)
        var stat = node.publicStat(options: options)
        if case .inTree(let index) = node.data { stat.dataLength = Int32(tree.dataLength(of: index)) }
        return (.setACL(path: path, acl: acl, version: node.stat.aversion), .stat(stat))
    }

    private func prepareCheck(
        _ path: NodePath, version: Int32, identities: [Identity], tree: borrowing DataTree
    ) throws(Refusal) -> (Change, Answer) {
        guard path.violation == nil else { throw Refusal(.badArguments) }
        guard let node = pending.node(at: path, in: tree) else { throw Refusal(.noNode) }
        try require(.read, on: node, identities: identities)
        return (.check(path: path, version: try next(node.stat.version, expected: version)), .nothing)
    }

    /// All or nothing: every part sees those before it; the first that fails takes all of them back.
    private mutating func prepareMulti(
        _ parts: [ClientRequest], header: TransactionHeader, identities: [Identity], tree: borrowing DataTree
    ) -> (Change, Answer) {
        let digestBefore = digest
        var changes: [Change] = []
        var results: [MultiResult] = []
        pending.beginMulti()
        for (index, part) in parts.enumerated() {
            do throws(Refusal) {
                let (change, answer) = try prepare(part, header: header, identities: identities, tree: tree)
                changes.append(change.asPartOfMulti)
                results.append(result(of: part, answer))
            } catch {
                pending.rollBackMulti()
                resetDigest(to: digestBefore)
                return failedMulti(count: parts.count, failing: index, code: error.code)
            }
        }
        pending.keepMulti()
        return (.multi(changes), .results(results))
    }

    private func failedMulti(count: Int, failing: Int, code: ZooKeeperError.Code) -> (Change, Answer) {
        let codes = (0..<count).map { index in
            index < failing ? ZooKeeperError.Code.ok : index == failing ? code : .runtimeInconsistency
        }
        return (
            .multi(codes.map { .error(code: $0.rawValue) }), .results(codes.map { MultiResult.failed($0) })
        )
    }

    private func result(of part: ClientRequest, _ answer: Answer) -> MultiResult {
        switch answer {
        case .path(let path): .created(path: path.text, stat: nil)
        case .created(let path, let stat): .created(path: path.text, stat: stat)
        case .stat(let stat): .dataSet(stat)
        case .failure(let code): .failed(code)
        case .results, .configuration: .failed(.unimplemented)
        case .nothing:
            switch part {
            case .check: .checked
            default: .deleted
            }
        }
    }

    /// The version after a change. The wildcard -1 is skipped, so that no version can ever match everything.
    private func next(_ version: Int32, expected: Int32) throws(Refusal) -> Int32 {
        guard expected == -1 || expected == version else { throw Refusal(.badVersion) }
        let next = version &+ 1
        return next == -1 ? 0 : next
    }
}

extension Change {
    /// As the reference logs it inside a multi: a create2 as a create. Replaying a multi with a create2 in it, the reference
    /// silently leaves the node out (observed).
    fileprivate var asPartOfMulti: Change {
        guard case .create(var create) = self, create.form == .create2 else { return self }
        create.form = .create
        return .create(create)
    }
}

import ConclaveConsensus
import ConclaveCore
import ConclaveTree
import ConclaveWire

/// Turns requests into transactions: checks them against the tree and the changes in flight, and says what the tree will be.
///
/// A transaction that leaves here can be applied by every replica without looking at anything again (DESIGN D6).
struct Preparer: Sendable {
    /// Who asks.
    struct Requester {
        var session: SessionID
        var cxid: Int32
        var identities: [Identity]
    }

    /// A request that is refused; becomes an error transaction.
    struct Refusal: Error {
        var code: ZooKeeperError.Code
        init(_ code: ZooKeeperError.Code) { self.code = code }
    }

    /// What will be answered once the transaction is applied.
    enum Answer: Sendable {
        case nothing
        case failure(ZooKeeperError.Code)
        case path(NodePath)
        case created(NodePath, Stat)
        case stat(Stat)
        case results([MultiResult])
        /// The text of a configuration.
        case configuration([UInt8], Stat)
    }

    let options: ServerOptions
    var pending = PendingChanges()
    /// Of a leader.
    var ensemble: EnsembleView?
    /// The zxid given out last.
    private(set) var lastZxid: Zxid
    /// The tree's digest after everything in flight.
    private(set) var digest: Int64
    private(set) var closingSessions: Set<SessionID> = []

    init(options: ServerOptions, lastZxid: Zxid, digest: Int64) {
        self.options = options
        self.lastZxid = lastZxid
        self.digest = digest
    }

    func isClosing(_ session: SessionID) -> Bool { closingSessions.contains(session) }

    mutating func applied(through zxid: Zxid) { pending.applied(through: zxid) }

    mutating func closed(_ session: SessionID) { closingSessions.remove(session) }

    /// Makes the next transaction out of a client's write.
    mutating func prepare(
        _ request: ClientRequest, from requester: Requester, tree: borrowing DataTree, wall: WallTime
    ) -> (Transaction, Answer) {
        let header = nextHeader(requester, wall: wall)
        do throws(Refusal) {
            if isClosing(requester.session) { throw Refusal(.sessionExpired) }
            let (change, answer) = try prepare(request, header: header, identities: requester.identities, tree: tree)
            let isFailedMulti = if case .multi(let parts) = change { parts.contains(where: \.isError) } else { false }
            return (finish(header, change, hasDigest: !isFailedMulti), answer)
        } catch {
            return (refuse(header, error.code), .failure(error.code))
        }
    }

    /// Makes an error transaction out of a write that could not even be decoded.
    mutating func prepareFailure(
        _ code: ZooKeeperError.Code, from requester: Requester, wall: WallTime
    ) -> (Transaction, Answer) {
        (refuse(nextHeader(requester, wall: wall), code), .failure(code))
    }

    mutating func prepareCreateSession(
        _ session: SessionID, timeoutMilliseconds: Int32, wall: WallTime
    ) -> Transaction {
        let header = nextHeader(Requester(session: session, cxid: 0, identities: []), wall: wall)
        return finish(header, .createSession(timeoutMilliseconds: timeoutMilliseconds), hasDigest: true)
    }

    /// Ends a session; from here on its requests are refused.
    mutating func prepareCloseSession(
        _ session: SessionID, cxid: Int32, tree: borrowing DataTree, wall: WallTime
    ) -> Transaction {
        let header = nextHeader(Requester(session: session, cxid: cxid, identities: []), wall: wall)
        let paths = pending.ephemerals(of: session, in: tree)
        for path in paths { remove(path, zxid: header.zxid, tree: tree) }
        closingSessions.insert(session)
        return finish(header, .closeSession(paths: paths), hasDigest: true)
    }

    /// Removes a container or TTL node that is still empty; `nil` if it is not to be removed after all.
    mutating func prepareDeleteContainer(_ path: NodePath, tree: borrowing DataTree, wall: WallTime) -> Transaction? {
        guard let node = pending.node(at: path, in: tree), node.childCount == 0 else { return nil }
        switch NodeOwner(stored: node.stat.owner, extendedTypes: options.extendedTypes) {
        case .container, .timeToLive: break
        case .persistent, .ephemeral: return nil
        }
        let header = nextHeader(Requester(session: .none, cxid: 0, identities: []), wall: wall)
        remove(path, zxid: header.zxid, tree: tree)
        return finish(header, .deleteContainer(path: path), hasDigest: true)
    }

    // MARK: Shared by the operations

    private mutating func nextHeader(_ requester: Requester, wall: WallTime) -> TransactionHeader {
        // A standalone server has one epoch; its counter carries into the next rather than stopping (ZOOKEEPER-1277).
        lastZxid = lastZxid.successor ?? Zxid(epoch: lastZxid.epoch &+ 1, counter: 1)
        return TransactionHeader(
            session: requester.session, cxid: requester.cxid, zxid: lastZxid, timeMilliseconds: wall.milliseconds)
    }

    private func finish(_ header: TransactionHeader, _ change: Change, hasDigest: Bool) -> Transaction {
        let digest = options.digestEnabled && hasDigest ? TreeDigest(value: digest) : nil
        return Transaction(header: header, change: change, digest: digest)
    }

    private func refuse(_ header: TransactionHeader, _ code: ZooKeeperError.Code) -> Transaction {
        Transaction(header: header, change: .error(code: code.rawValue))
    }

    /// Records a node's next state and moves the tree's digest along.
    mutating func update(
        _ node: PendingChanges.Node, at path: NodePath, replacing old: UInt32?, tree: borrowing DataTree
    ) {
        var node = node
        if options.digestEnabled, !path.isBelowZooKeeper {
            if node.exists {
                node.digest =
                    switch node.data {
                    case .bytes(let data): DataTree.nodeDigest(path: path, data: data, stat: node.stat)
                    case .inTree(let index):
                        DataTree.nodeDigest(path: path, data: tree.data(of: index), stat: node.stat)
                    }
                digest &+= Int64(node.digest)
            }
            if let old { digest &-= Int64(old) }
        }
        pending.record(node, at: path)
    }

    mutating func resetDigest(to value: Int64) { digest = value }

    /// Removes a node and tells its parent.
    mutating func remove(_ path: NodePath, zxid: Zxid, tree: borrowing DataTree) {
        guard var node = pending.node(at: path, in: tree) else { return }
        node.exists = false
        node.zxid = zxid
        node.data = .bytes(nil)
        update(node, at: path, replacing: node.digest, tree: tree)
        guard let parentPath = path.parent, var parent = pending.node(at: parentPath, in: tree) else { return }
        parent.childCount -= 1
        parent.stat.pzxid = max(parent.stat.pzxid, zxid)
        parent.zxid = zxid
        update(parent, at: parentPath, replacing: parent.digest, tree: tree)
    }

    func require(
        _ permission: Permissions, on node: PendingChanges.Node, identities: [Identity]
    ) throws(Refusal) {
        guard let acl = node.acl, !options.skipACL else { return }
        guard AccessControl.isAllowed(permission, by: acl, identities: identities) else { throw Refusal(.noAuth) }
    }
}

extension Change {
    var isError: Bool {
        if case .error = self { true } else { false }
    }
}

extension NodePath {
    /// Whether the digest leaves the path out.
    var isBelowZooKeeper: Bool { utf8.starts(with: "/zookeeper/".utf8) }

    /// The parent as the reference finds it: everything before the last slash, valid or not; `nil` where a create or delete is
    /// refused because there is no slash, or a NUL.
    var lenientParent: NodePath? {
        guard !utf8.contains(0), let slash = utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        return slash == 0 ? .root : NodePath(utf8: Array(utf8[..<slash]))
    }
}

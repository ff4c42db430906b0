import ConclaveCore
import ConclaveTree
import ConclaveWire

/// Requests that are answered from memory, without waiting for anything.
extension ServerMachine {
    mutating func read(
        _ slot: Int, _ session: SessionID, _ header: RequestHeader, _ reader: inout ByteReader, received: Instant
    ) {
        do throws(ReadFailure) {
            guard !preparer.isClosing(session) else { throw ReadFailure(.sessionExpired) }
            switch header.operation {
            case .ping where role.asksAboutSessions && !local.contains(session): confirmPing(slot, session, header)
            case .ping: reply(slot, xid: header.xid, received: received)
            case .getData: try getData(slot, header, &reader, received)
            case .exists: try exists(slot, header, &reader, received)
            case .getChildren, .getChildren2: try getChildren(slot, header, &reader, received)
            case .getACL: try getACL(slot, header, &reader, received)
            case .multiRead: try multiRead(slot, header, &reader, received)
            case .getAllChildrenNumber: try getAllChildrenNumber(slot, header, &reader, received)
            case .getEphemerals: try getEphemerals(slot, session, header, &reader, received)
            case .whoAmI: whoAmI(slot, header, received)
            case .addWatch: try addWatch(slot, header, &reader, received)
            case .checkWatches, .removeWatches: try removeWatches(slot, header, &reader, received)
            case .setWatches, .setWatches2: try setWatches(slot, header, &reader, received)
            case .sync: throw ReadFailure(.marshallingError)
            case .closeSession: closeLocalSession(slot, session, header, received)
            case .create, .create2, .createContainer, .createTTL: throw ReadFailure(.ephemeralOnLocalSession)
            case .multi: refuseEphemerals(slot, header, &reader, received)
            default: refuse(slot, header, received)
            }
        } catch {
            replyFailure(slot, xid: header.xid, error.code, received: received)
        }
    }

    /// Operations that nobody knows, and a check outside of a multi: 3.8.0 logs that as a transaction which nobody can read
    /// back (ZOOKEEPER-2623); it is refused since.
    private mutating func refuse(_ slot: Int, _ header: RequestHeader, _ received: Instant) {
        replyFailure(slot, xid: header.xid, .unimplemented, zxid: Zxid(rawValue: -1), received: received)
        if header.operation != .check { close(slot, .unknownOperation(header.operation.rawValue)) }
    }

    struct ReadFailure: Error {
        let code: ZooKeeperError.Code
        init(_ code: ZooKeeperError.Code) { self.code = code }
    }

    // MARK: Hot: nothing is allocated but the output

    private mutating func getData(
        _ slot: Int, _ header: RequestHeader, _ reader: inout ByteReader, _ received: Instant
    ) throws(ReadFailure) {
        let request = try pathAndFlag(&reader)
        let path = reader.bytes.span.extracting(request.path)
        guard let node = tree.find(path) else { throw ReadFailure(.noNode) }
        try requireRead(node, slot)
        if request.flag { try watch(request.path, in: reader.bytes, .data, slot) }
        let start = beginReply(slot, xid: header.xid)
        tree.writeData(of: node, into: &slots[slot].output)
        slots[slot].output.writeStat(tree.stat(of: node))
        endReply(slot, start, received: received)
    }

    private mutating func exists(
        _ slot: Int, _ header: RequestHeader, _ reader: inout ByteReader, _ received: Instant
    ) throws(ReadFailure) {
        let request = try pathAndFlag(&reader)
        guard !reader.bytes[request.path].contains(0) else { throw ReadFailure(.badArguments) }
        let node = tree.find(reader.bytes.span.extracting(request.path))
        if let node, options.existsRequiresRead { try requireRead(node, slot) }
        // A watch on a node that does not exist waits for its creation.
        if request.flag { try watch(request.path, in: reader.bytes, .data, slot) }
        guard let node else { throw ReadFailure(.noNode) }
        let stat = tree.stat(of: node)
        reply(slot, xid: header.xid, received: received) { $0.writeStat(stat) }
    }

    private mutating func getChildren(
        _ slot: Int, _ header: RequestHeader, _ reader: inout ByteReader, _ received: Instant
    ) throws(ReadFailure) {
        let request = try pathAndFlag(&reader)
        guard let node = tree.find(reader.bytes.span.extracting(request.path)) else { throw ReadFailure(.noNode) }
        try requireRead(node, slot)
        if request.flag { try watch(request.path, in: reader.bytes, .child, slot) }
        let start = beginReply(slot, xid: header.xid)
        childLists.write(childrenOf: node, in: tree, into: &slots[slot].output)
        if header.operation == .getChildren2 { slots[slot].output.writeStat(tree.stat(of: node)) }
        endReply(slot, start, received: received)
    }

    private func pathAndFlag(_ reader: inout ByteReader) throws(ReadFailure) -> PathAndFlag {
        do throws(DecodingError) {
            return try PathAndFlag(from: &reader)
        } catch {
            throw ReadFailure(.marshallingError)
        }
    }

    // MARK: The others

    private mutating func getACL(
        _ slot: Int, _ header: RequestHeader, _ reader: inout ByteReader, _ received: Instant
    ) throws(ReadFailure) {
        guard case .getACL(let path) = try decode(header.operation, &reader) else { return }
        guard let node = tree.find(path) else { throw ReadFailure(.noNode) }
        let acl = tree.acl(of: node)
        let isAdministrator = isAllowed(.admin, node, slot)
        guard isAdministrator || isAllowed(.read, node, slot) else { throw ReadFailure(.noAuth) }
        let stat = tree.stat(of: node)
        reply(slot, xid: header.xid, received: received) { output in
            output.writeACL(isAdministrator ? acl : AccessControl.masked(acl))
            output.writeStat(stat)
        }
    }

    /// Every part on its own: one that fails does not stop the others. A short request may ask for a long list many times;
    /// once what was read is longer than the limit of a connection's output, it is refused.
    private mutating func multiRead(
        _ slot: Int, _ header: RequestHeader, _ reader: inout ByteReader, _ received: Instant
    ) throws(ReadFailure) {
        guard case .multiRead(let parts) = try decode(header.operation, &reader) else { return }
        var results: [MultiResult] = []
        var bytes = 0
        for part in parts {
            guard bytes <= options.outputLimitBytes else { throw ReadFailure(.marshallingError) }
            let result: MultiResult
            switch part {
            case .getData(let path, _):
                result = readable(path, slot) { node in
                    bytes += tree.dataLength(of: node)
                    return .data(tree.data(of: node), tree.stat(of: node))
                }
            case .getChildren(let path, _):
                result = readable(path, slot) { node in
                    let names = tree.childNames(of: node).map { String(decoding: $0, as: UTF8.self) }
                    bytes += names.reduce(0) { $0 + $1.utf8.count + 4 }
                    return .children(names)
                }
            default: throw ReadFailure(.marshallingError)
            }
            results.append(result)
        }
        reply(slot, xid: header.xid, received: received) { $0.writeMultiResults(results) }
    }

    private func readable(
        _ path: NodePath, _ slot: Int, _ body: (NodeIndex) -> MultiResult
    ) -> MultiResult {
        guard let node = tree.find(path) else { return .failed(.noNode) }
        guard isAllowed(.read, node, slot) else { return .failed(.noAuth) }
        return body(node)
    }

    private mutating func getAllChildrenNumber(
        _ slot: Int, _ header: RequestHeader, _ reader: inout ByteReader, _ received: Instant
    ) throws(ReadFailure) {
        guard case .getAllChildrenNumber(let path) = try decode(header.operation, &reader) else { return }
        guard let node = tree.find(path) else { throw ReadFailure(.noNode) }
        try requireRead(node, slot)
        let count = tree.descendantCount(of: node)
        reply(slot, xid: header.xid, received: received) { $0.writeInt32(Int32(truncatingIfNeeded: count)) }
    }

    private mutating func getEphemerals(
        _ slot: Int, _ session: SessionID, _ header: RequestHeader, _ reader: inout ByteReader, _ received: Instant
    ) throws(ReadFailure) {
        guard case .getEphemerals(let prefix) = try decode(header.operation, &reader) else { return }
        var paths = tree.ephemerals(of: session)
        let isWhitespace: (UInt8) -> Bool = { $0 <= UInt8(ascii: " ") }
        if let prefix, prefix != .root, !prefix.utf8.allSatisfy(isWhitespace) {
            paths = paths.filter { $0.utf8.starts(with: prefix.utf8) }
        }
        reply(slot, xid: header.xid, received: received) { output in
            output.writeInt32(Int32(truncatingIfNeeded: paths.count))
            for path in paths { output.writePath(path) }
        }
    }

    private mutating func whoAmI(_ slot: Int, _ header: RequestHeader, _ received: Instant) {
        let identities = slots[slot].identities
        reply(slot, xid: header.xid, received: received) { output in
            output.writeInt32(Int32(identities.count))
            for identity in identities {
                output.writeString(identity.scheme)
                output.writeString(AccessControl.publicName(of: identity))
            }
        }
    }

    func decode(
        _ operation: OperationCode, _ reader: inout ByteReader
    ) throws(ReadFailure) -> ClientRequest {
        do throws(DecodingError) {
            return try ClientRequest.decode(operation, from: &reader)
        } catch {
            throw ReadFailure(.marshallingError)
        }
    }

    func isAllowed(_ permission: Permissions, _ node: NodeIndex, _ slot: Int) -> Bool {
        if options.skipACL || tree.aclKey(of: node) == -1 { return true }
        return AccessControl.isAllowed(permission, by: tree.acl(of: node), identities: slots[slot].identities)
    }

    private func requireRead(_ node: NodeIndex, _ slot: Int) throws(ReadFailure) {
        guard isAllowed(.read, node, slot) else { throw ReadFailure(.noAuth) }
    }
}

import ConclaveCore

extension ClientRequest {
    /// Reads what follows the header. Bytes behind the body are left alone, as the reference does.
    ///
    /// - Throws: `.invalid` for an operation that clients do not send (see ``OperationCode/isClientRequest``).
    package static func decode(
        _ operation: OperationCode, from reader: inout ByteReader
    ) throws(DecodingError) -> ClientRequest {
        switch operation {
        case .create, .create2, .createContainer, .createTTL: .create(try CreateRequest(operation, from: &reader))
        case .delete: .delete(path: try reader.readPath(), version: try reader.readInt32())
        case .exists: .exists(path: try reader.readPath(), watch: try reader.readBool())
        case .getData: .getData(path: try reader.readPath(), watch: try reader.readBool())
        case .setData:
            .setData(path: try reader.readPath(), data: try reader.readBuffer(), version: try reader.readInt32())
        case .getACL: .getACL(path: try reader.readPath())
        case .setACL: .setACL(path: try reader.readPath(), acl: try reader.readACL(), version: try reader.readInt32())
        case .getChildren: .getChildren(path: try reader.readPath(), watch: try reader.readBool())
        case .getChildren2: .getChildren2(path: try reader.readPath(), watch: try reader.readBool())
        case .sync: .sync(path: try reader.readPath())
        case .ping: .ping
        case .check: .check(path: try reader.readPath(), version: try reader.readInt32())
        case .multi: .multi(try decodeMulti(from: &reader, accepting: \.isPartOfMulti))
        case .multiRead: .multiRead(try decodeMulti(from: &reader, accepting: \.isPartOfMultiRead))
        case .reconfig:
            .reconfig(
                joining: try reader.readString(), leaving: try reader.readString(), newMembers: try reader.readString(),
                version: try reader.readInt64())
        case .checkWatches: .checkWatches(path: try reader.readPath(), type: try reader.readInt32())
        case .removeWatches: .removeWatches(path: try reader.readPath(), type: try reader.readInt32())
        case .auth: try decodeAuth(from: &reader)
        case .sasl: .sasl(token: try reader.readBuffer() ?? [])
        case .setWatches, .setWatches2: .setWatches(try SetWatches(operation, from: &reader))
        case .getEphemerals: .getEphemerals(prefix: try reader.readBuffer().map(NodePath.init(utf8:)))
        case .getAllChildrenNumber: .getAllChildrenNumber(path: try reader.readPath())
        case .addWatch: .addWatch(path: try reader.readPath(), mode: try reader.readInt32())
        case .whoAmI: .whoAmI
        case .closeSession: .closeSession
        default: throw .invalid("operation \(operation.rawValue)")
        }
    }

    private static func decodeAuth(from reader: inout ByteReader) throws(DecodingError) -> ClientRequest {
        _ = try reader.readInt32()
        let scheme = try reader.readText("scheme")
        return .auth(scheme: scheme, credential: try reader.readBuffer() ?? [])
    }

    /// Reads operations up to the end mark. What a multi may not hold, another multi before all, is refused, so the
    /// depth is two whatever comes.
    private static func decodeMulti(
        from reader: inout ByteReader, accepting isPart: (OperationCode) -> Bool
    ) throws(DecodingError) -> [ClientRequest] {
        var operations: [ClientRequest] = []
        while true {
            let header = try MultiHeader(from: &reader)
            guard !header.isDone else { return operations }
            guard isPart(header.type) else { throw .invalid("operation \(header.type.rawValue) within a multi") }
            guard operations.count < FrameLimit.maximumMultiOperations else {
                throw .invalid("more than \(FrameLimit.maximumMultiOperations) operations in a multi")
            }
            operations.append(try decode(header.type, from: &reader))
        }
    }
}

extension OperationCode {
    /// Whether a multi may hold it.
    package var isPartOfMulti: Bool {
        switch self {
        case .create, .create2, .createContainer, .createTTL, .delete, .setData, .check: true
        default: false
        }
    }

    /// Whether a multiRead may hold it.
    package var isPartOfMultiRead: Bool { self == .getData || self == .getChildren }
}

import ConclaveCore

extension ClientRequest {
    /// Writes what follows the header. A multi within a multi is a mistake of the caller and traps.
    package func encodeBody(into writer: inout ByteWriter) {
        switch self {
        case .create(let request): request.encode(into: &writer)
        case .setData(let path, let data, let version):
            writer.writePath(path)
            writer.writeBuffer(data)
            writer.writeInt32(version)
        case .setACL(let path, let acl, let version):
            writer.writePath(path)
            writer.writeACL(acl)
            writer.writeInt32(version)
        case .exists(let path, let watch), .getData(let path, let watch), .getChildren(let path, let watch),
            .getChildren2(let path, let watch):
            writer.writePath(path)
            writer.writeBool(watch)
        case .delete(let path, let number), .check(let path, let number), .checkWatches(let path, let number),
            .removeWatches(let path, let number), .addWatch(let path, let number):
            writer.writePath(path)
            writer.writeInt32(number)
        case .getACL(let path), .sync(let path), .getAllChildrenNumber(let path): writer.writePath(path)
        case .getEphemerals(let prefix): writer.writeBuffer(prefix?.utf8)
        case .multi(let operations), .multiRead(let operations): writer.writeMulti(operations)
        case .reconfig(let joining, let leaving, let newMembers, let version):
            writer.writeOptionalString(joining)
            writer.writeOptionalString(leaving)
            writer.writeOptionalString(newMembers)
            writer.writeInt64(version)
        case .auth(let scheme, let credential):
            // A type that nobody uses.
            writer.writeInt32(0)
            writer.writeString(scheme)
            writer.writeBuffer(credential)
        case .sasl(let token): writer.writeBuffer(token)
        case .setWatches(let watches): watches.encode(into: &writer)
        case .ping, .whoAmI, .closeSession: break
        }
    }
}

extension ByteWriter {
    /// A whole request: length, header, body.
    package mutating func writeRequestFrame(xid: Int32, _ request: ClientRequest) {
        let start = openLength()
        RequestHeader(xid: xid, operation: request.operation).encode(into: &self)
        request.encodeBody(into: &self)
        closeLength(at: start)
    }

    fileprivate mutating func writeMulti(_ operations: [ClientRequest]) {
        for operation in operations {
            switch operation {
            case .multi, .multiRead: preconditionFailure("a multi holds a multi")
            default: break
            }
            MultiHeader(type: operation.operation, isDone: false, error: MultiHeader.noError).encode(into: &self)
            operation.encodeBody(into: &self)
        }
        MultiHeader.end.encode(into: &self)
    }
}

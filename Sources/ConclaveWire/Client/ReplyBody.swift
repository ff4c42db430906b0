import ConclaveCore

/// What a reply says when it is not an error.
///
/// A value for clients and tests; servers write the pieces straight into their output.
package enum ReplyBody: Equatable, Sendable {
    case none
    case path(String)
    case created(path: String, stat: Stat)
    case stat(Stat)
    case data([UInt8]?, Stat)
    case acl([ACL], Stat)
    case names([String])
    case children([String], Stat)
    case count(Int32)
    case identities([Identity])
    case multi([MultiResult])
    case token([UInt8]?)
    case configuration([UInt8], Stat)

    /// Reads the body of a reply without an error. Bytes behind it are left alone.
    ///
    /// - Parameter operation: what was asked for.
    package static func decode(
        for operation: OperationCode, from reader: inout ByteReader
    ) throws(DecodingError) -> ReplyBody {
        switch operation {
        case .create, .sync: .path(try reader.readText("path"))
        case .create2, .createContainer, .createTTL:
            .created(path: try reader.readText("path"), stat: try reader.readStat())
        case .exists, .setData, .setACL: .stat(try reader.readStat())
        case .getData: .data(try reader.readBuffer(), try reader.readStat())
        case .getACL: .acl(try reader.readACL(.repaired), try reader.readStat())
        case .getChildren, .getEphemerals: .names(try reader.readNames())
        case .getChildren2: .children(try reader.readNames(), try reader.readStat())
        case .multi, .multiRead: .multi(try reader.readMultiResults())
        case .reconfig: .configuration(try reader.readBuffer() ?? [], try reader.readStat())
        case .sasl: .token(try reader.readBuffer())
        case .getAllChildrenNumber: .count(try reader.readInt32())
        case .addWatch: try decodeErrorBody(from: &reader)
        case .whoAmI: .identities(try reader.readIdentities())
        case .delete, .check, .ping, .checkWatches, .removeWatches, .auth, .setWatches, .setWatches2, .closeSession:
            .none
        default: throw .invalid("reply to operation \(operation.rawValue)")
        }
    }

    /// Writes the body as the reply to an operation has it.
    package func encode(for operation: OperationCode, into writer: inout ByteWriter) {
        switch self {
        case .none:
            // The reply to addWatch repeats the code of the header.
            if operation == .addWatch { writer.writeInt32(ZooKeeperError.Code.ok.rawValue) }
        case .path(let path): writer.writeString(path)
        case .created(let path, let stat):
            writer.writeString(path)
            writer.writeStat(stat)
        case .stat(let stat): writer.writeStat(stat)
        case .data(let data, let stat):
            writer.writeBuffer(data)
            writer.writeStat(stat)
        case .acl(let acl, let stat):
            writer.writeACL(acl)
            writer.writeStat(stat)
        case .names(let names): writer.writeNames(names)
        case .children(let names, let stat):
            writer.writeNames(names)
            writer.writeStat(stat)
        case .count(let count): writer.writeInt32(count)
        case .identities(let identities): writer.writeIdentities(identities)
        case .multi(let results): writer.writeMultiResults(results)
        case .token(let token): writer.writeBuffer(token)
        case .configuration(let text, let stat):
            writer.writeBuffer(text)
            writer.writeStat(stat)
        }
    }

    /// The reply to addWatch repeats the code of the header, which is `.ok` where there is a body.
    private static func decodeErrorBody(from reader: inout ByteReader) throws(DecodingError) -> ReplyBody {
        let code = try reader.readInt32()
        guard code == ZooKeeperError.Code.ok.rawValue else { throw .invalid("error \(code) in the body of a success") }
        return .none
    }
}

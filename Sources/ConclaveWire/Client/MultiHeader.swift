import ConclaveCore

/// What stands before each part of a multi and of its answer, and after the last: 9 bytes.
///
/// ```
/// int type | bool done | int error
/// ```
package struct MultiHeader: Equatable, Sendable {
    /// The error field of requests and of the end mark.
    package static let noError = ZooKeeperError.Code(rawValue: -1)
    /// What stands after the last part.
    package static let end = MultiHeader(type: .error, isDone: true, error: noError)

    package var type: OperationCode
    package var isDone: Bool
    package var error: ZooKeeperError.Code

    package init(type: OperationCode, isDone: Bool, error: ZooKeeperError.Code) {
        self.type = type
        self.isDone = isDone
        self.error = error
    }

    package init(from reader: inout ByteReader) throws(DecodingError) {
        type = OperationCode(rawValue: try reader.readInt32())
        isDone = try reader.readBool()
        error = ZooKeeperError.Code(rawValue: try reader.readInt32())
    }

    package func encode(into writer: inout ByteWriter) {
        writer.writeInt32(type.rawValue)
        writer.writeBool(isDone)
        writer.writeInt32(error.rawValue)
    }
}

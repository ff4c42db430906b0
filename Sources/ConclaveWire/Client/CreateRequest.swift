import ConclaveCore

/// The body of the four creates.
///
/// ```
/// ustring path | buffer data | vector<ACL> | int flags | long time to live (createTTL only)
/// ```
package struct CreateRequest: Equatable, Sendable {
    /// `.create`, `.create2`, `.createContainer` or `.createTTL`.
    package var operation: OperationCode
    package var path: NodePath
    package var data: [UInt8]?
    /// Empty also if the client sent null.
    package var acl: [ACL]
    /// See ``CreateMode/flags``; any number may come from a client.
    package var flags: Int32
    /// Only with `.createTTL`; 0 otherwise.
    package var timeToLiveMilliseconds: Int64

    package init(
        operation: OperationCode, path: NodePath, data: [UInt8]?, acl: [ACL], flags: Int32,
        timeToLiveMilliseconds: Int64 = 0
    ) {
        self.operation = operation
        self.path = path
        self.data = data
        self.acl = acl
        self.flags = flags
        self.timeToLiveMilliseconds = timeToLiveMilliseconds
    }

    /// Picks the operation that clients use for a mode.
    ///
    /// - Parameter wantsStat: create2 instead of create, so that the reply carries a stat.
    package init(path: NodePath, data: [UInt8]?, acl: [ACL], mode: CreateMode, wantsStat: Bool) {
        self.path = path
        self.data = data
        self.acl = acl
        flags = mode.flags
        timeToLiveMilliseconds = mode.timeToLiveMilliseconds ?? 0
        operation =
            switch mode {
            case .persistent, .ephemeral, .persistentSequential, .ephemeralSequential: wantsStat ? .create2 : .create
            case .container: .createContainer
            case .timeToLive, .timeToLiveSequential: .createTTL
            }
    }

    package init(_ operation: OperationCode, from reader: inout ByteReader) throws(DecodingError) {
        self.operation = operation
        path = try reader.readPath()
        data = try reader.readBuffer()
        acl = try reader.readACL()
        flags = try reader.readInt32()
        timeToLiveMilliseconds = operation == .createTTL ? try reader.readInt64() : 0
    }

    package func encode(into writer: inout ByteWriter) {
        writer.writePath(path)
        writer.writeBuffer(data)
        writer.writeACL(acl)
        writer.writeInt32(flags)
        if operation == .createTTL { writer.writeInt64(timeToLiveMilliseconds) }
    }
}

import ConclaveCore

/// What a client sends after it has found another server: the watches it holds and up to where it has heard.
///
/// ```
/// long relative zxid | vector<ustring> data | exist | child | persistent | persistent recursive (setWatches2 only)
/// ```
///
/// A client with many watches sends several of them, so that no frame grows too long.
package struct SetWatches: Equatable, Sendable {
    /// The newest zxid that the client has seen; the server fires what changed after it.
    package var relativeZxid: Zxid
    package var data: [NodePath]
    package var exist: [NodePath]
    package var child: [NodePath]
    package var persistent: [NodePath]
    package var persistentRecursive: [NodePath]

    package init(
        relativeZxid: Zxid, data: [NodePath] = [], exist: [NodePath] = [], child: [NodePath] = [],
        persistent: [NodePath] = [], persistentRecursive: [NodePath] = []
    ) {
        self.relativeZxid = relativeZxid
        self.data = data
        self.exist = exist
        self.child = child
        self.persistent = persistent
        self.persistentRecursive = persistentRecursive
    }

    /// setWatches2 only where persistent watches call for it: servers before 3.6 do not know it.
    package var operation: OperationCode {
        persistent.isEmpty && persistentRecursive.isEmpty ? .setWatches : .setWatches2
    }

    package var isEmpty: Bool {
        data.isEmpty && exist.isEmpty && child.isEmpty && persistent.isEmpty && persistentRecursive.isEmpty
    }

    package init(_ operation: OperationCode, from reader: inout ByteReader) throws(DecodingError) {
        relativeZxid = Zxid(rawValue: try reader.readInt64())
        data = try reader.readPaths()
        exist = try reader.readPaths()
        child = try reader.readPaths()
        persistent = operation == .setWatches2 ? try reader.readPaths() : []
        persistentRecursive = operation == .setWatches2 ? try reader.readPaths() : []
    }

    package func encode(into writer: inout ByteWriter) {
        writer.writeInt64(relativeZxid.rawValue)
        writer.writePaths(data)
        writer.writePaths(exist)
        writer.writePaths(child)
        guard operation == .setWatches2 else { return }
        writer.writePaths(persistent)
        writer.writePaths(persistentRecursive)
    }
}

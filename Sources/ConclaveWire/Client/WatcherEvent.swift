import ConclaveCore

/// The body of a notification: what a watch has seen.
///
/// ```
/// int type | int state | ustring path
/// ```
@usableFromInline
package struct WatcherEvent: Equatable, Sendable {
    /// The state that servers put into every notification: connected.
    @inlinable package static var connectedState: Int32 { 3 }

    /// The number of a ``WatchEvent/Kind``; -1 and others are for the client's own use and do not travel.
    package var type: Int32
    package var state: Int32
    package var path: NodePath

    package init(type: Int32, state: Int32 = WatcherEvent.connectedState, path: NodePath) {
        self.type = type
        self.state = state
        self.path = path
    }

    package init(from reader: inout ByteReader) throws(DecodingError) {
        type = try reader.readInt32()
        state = try reader.readInt32()
        path = try reader.readPath()
    }

    package func encode(into writer: inout ByteWriter) {
        writer.writeInt32(type)
        writer.writeInt32(state)
        writer.writePath(path)
    }
}

import ConclaveCore

/// What a server writes straight into the output of a connection.
///
/// A whole reply: `let start = writer.openReplyFrame(xid: …, zxid: …)`, the body, `writer.closeLength(at: start)`. A
/// reply that turns out impossible half way is dropped by `truncate(to: start - 4)`.
extension ByteWriter {
    /// 16 bytes: the header without the length of the frame.
    @inlinable
    package mutating func writeReplyHeader(xid: Int32, zxid: Zxid, error: ZooKeeperError.Code = .ok) {
        writeWords((xid.word, zxid.rawValue.upperWord, zxid.rawValue.lowerWord, error.rawValue.word))
    }

    /// A place holder for the length and the header. Returns what ``closeLength(at:)`` wants to know.
    @inlinable
    package mutating func openReplyFrame(xid: Int32, zxid: Zxid, error: ZooKeeperError.Code = .ok) -> Int {
        let none: UInt32 = 0
        writeWords((none, xid.word, zxid.rawValue.upperWord, zxid.rawValue.lowerWord, error.rawValue.word))
        return count - 16
    }

    /// A whole reply without a body: 20 bytes.
    @inlinable
    package mutating func writeReplyFrame(xid: Int32, zxid: Zxid, error: ZooKeeperError.Code = .ok) {
        let length = UInt32(16).bigEndian
        writeWords((length, xid.word, zxid.rawValue.upperWord, zxid.rawValue.lowerWord, error.rawValue.word))
    }

    /// A whole reply whose body is a stat: 88 bytes.
    @inlinable
    package mutating func writeReplyFrame(xid: Int32, zxid: Zxid, stat: Stat) {
        let length = UInt32(16 + 68).bigEndian
        writeWords((length, xid.word, zxid.rawValue.upperWord, zxid.rawValue.lowerWord, UInt32(0)))
        writeStat(stat)
    }

    /// A whole notification. The same bytes go to every watcher: write once, append often.
    @inlinable
    package mutating func writeEventFrame(
        type: Int32, path: Span<UInt8>, state: Int32 = WatcherEvent.connectedState
    ) {
        let start = openReplyFrame(xid: ReservedXid.notification, zxid: Zxid(rawValue: -1))
        writeWords((type.word, state.word))
        writeBuffer(path)
        closeLength(at: start)
    }

    /// A whole notification. The same bytes go to every watcher: write once, append often.
    @inlinable
    package mutating func writeEventFrame(
        type: Int32, path: NodePath, state: Int32 = WatcherEvent.connectedState
    ) {
        writeEventFrame(type: type, path: path.utf8.span, state: state)
    }
}

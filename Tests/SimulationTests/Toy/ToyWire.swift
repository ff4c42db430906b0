import ConclaveCore
import ConclaveSimulator

/// What the toy does to its registers, and what it answers.
struct ToyCommand: Equatable, Sendable {
    enum Kind: UInt8, Sendable {
        /// The first entry of a leader.
        case begin
        case open
        case close
        case set
        /// Sets if the version is as expected.
        case swap
        case read
    }

    var kind: Kind
    var key: Int32 = 0
    var value: Int64 = 0
    var version: Int32 = 0
}

struct ToyAnswer: Equatable, Sendable {
    var isDone: Bool
    var value: Int64
    var version: Int32
}

/// One entry of the replicated log.
struct ToyEntry: Equatable, Sendable {
    var zxid: Zxid
    var session: SessionID
    var cxid: Int32
    var command: ToyCommand

    static let byteCount = 37

    var fingerprint: UInt64 {
        var digest = UInt64(bitPattern: session.rawValue) &* 31 &+ UInt64(UInt32(bitPattern: cxid))
        for part in [Int64(command.kind.rawValue), Int64(command.key), command.value, Int64(command.version)] {
            digest = (digest ^ UInt64(bitPattern: part)) &* 0x9E37_79B9_7F4A_7C15
            digest ^= digest >> 29
        }
        return digest
    }

    /// As the judge wants to know it.
    var observed: LogEntry {
        let kind: LogEntry.Kind =
            switch command.kind {
            case .set, .swap: .request
            case .close: .closeSession
            case .begin, .open, .read: .other
            }
        return LogEntry(zxid: zxid, kind: kind, session: session, cxid: cxid, fingerprint: fingerprint)
    }
}

/// Everything that is said in the toy's world, in frames with a length in front.
enum ToyMessage: Equatable, Sendable {
    // Between servers.
    case hello(server: Int32)
    case askVote(epoch: Int64, last: Zxid)
    case vote(epoch: Int64)
    /// `round` numbers heartbeats; `start` is the count of entries before `entries`.
    case append(epoch: Int64, round: Int64, before: Zxid, start: Int32, committed: Zxid, entries: [ToyEntry])
    /// `count` entries are durable and equal to the leader's.
    case appended(epoch: Int64, round: Int64, count: Int32)
    /// The follower has fewer entries, or others.
    case refused(epoch: Int64, round: Int64, count: Int32)
    case forward(session: SessionID, cxid: Int32, command: ToyCommand)
    case touch(session: SessionID, ping: Int64)
    case touched(session: SessionID, ping: Int64)
    // Between client and server.
    case connect(session: SessionID, lastZxid: Zxid, timeoutMilliseconds: Int32)
    case connected(session: SessionID, zxid: Zxid)
    case noSession
    case request(cxid: Int32, command: ToyCommand, watches: Bool)
    case reply(cxid: Int32, zxid: Zxid, answer: ToyAnswer)
    case watch(keys: [Int32], lastZxid: Zxid)
    case event(key: Int32)
    case ping(Int64)
    case pong(Int64)
    case bye(cxid: Int32)

    var frame: [UInt8] {
        var writer = ByteWriter()
        let start = writer.openLength()
        encode(into: &writer)
        writer.closeLength(at: start)
        return writer.bytes
    }
}

extension ToyEntry {
    func encode(into writer: inout ByteWriter) {
        writer.writeInt64(zxid.rawValue)
        writer.writeInt64(session.rawValue)
        writer.writeInt32(cxid)
        command.encode(into: &writer)
    }

    init(from reader: inout ByteReader) throws(DecodingError) {
        zxid = Zxid(rawValue: try reader.readInt64())
        session = SessionID(rawValue: try reader.readInt64())
        cxid = try reader.readInt32()
        command = try ToyCommand(from: &reader)
    }
}

extension ToyCommand {
    func encode(into writer: inout ByteWriter) {
        writer.writeByte(kind.rawValue)
        writer.writeInt32(key)
        writer.writeInt64(value)
        writer.writeInt32(version)
    }

    init(from reader: inout ByteReader) throws(DecodingError) {
        guard let kind = Kind(rawValue: try reader.readByte()) else { throw .invalid("command") }
        self.init(
            kind: kind, key: try reader.readInt32(), value: try reader.readInt64(), version: try reader.readInt32())
    }
}

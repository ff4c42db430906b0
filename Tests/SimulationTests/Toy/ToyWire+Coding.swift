import ConclaveCore

extension ToyMessage {
    func encode(into writer: inout ByteWriter) {
        func numbers(_ type: UInt8, _ values: Int64...) {
            writer.writeByte(type)
            for value in values { writer.writeInt64(value) }
        }
        switch self {
        case .hello(let server): numbers(0, Int64(server))
        case .askVote(let epoch, let last): numbers(1, epoch, last.rawValue)
        case .vote(let epoch): numbers(2, epoch)
        case .append(let epoch, let round, let before, let start, let committed, let entries):
            numbers(3, epoch, round, before.rawValue, Int64(start), committed.rawValue)
            writer.writeInt32(Int32(entries.count))
            for entry in entries { entry.encode(into: &writer) }
        case .appended(let epoch, let round, let count): numbers(4, epoch, round, Int64(count))
        case .refused(let epoch, let round, let count): numbers(5, epoch, round, Int64(count))
        case .forward(let session, let cxid, let command):
            numbers(6, session.rawValue, Int64(cxid))
            command.encode(into: &writer)
        case .touch(let session, let ping): numbers(7, session.rawValue, ping)
        case .touched(let session, let ping): numbers(8, session.rawValue, ping)
        case .connect(let session, let zxid, let timeout): numbers(9, session.rawValue, zxid.rawValue, Int64(timeout))
        case .connected(let session, let zxid): numbers(10, session.rawValue, zxid.rawValue)
        case .noSession: numbers(11)
        case .request(let cxid, let command, let watches):
            numbers(12, Int64(cxid), watches ? 1 : 0)
            command.encode(into: &writer)
        case .reply(let cxid, let zxid, let answer):
            numbers(13, Int64(cxid), zxid.rawValue, answer.isDone ? 1 : 0, answer.value, Int64(answer.version))
        case .watch(let keys, let zxid):
            numbers(14, zxid.rawValue)
            writer.writeInt32(Int32(keys.count))
            for key in keys { writer.writeInt32(key) }
        case .event(let key): numbers(15, Int64(key))
        case .ping(let number): numbers(16, number)
        case .pong(let number): numbers(17, number)
        case .bye(let cxid): numbers(18, Int64(cxid))
        }
    }

    init(from reader: inout ByteReader) throws(DecodingError) {
        let type = try reader.readByte()
        func zxid() throws(DecodingError) -> Zxid { Zxid(rawValue: try reader.readInt64()) }
        func session() throws(DecodingError) -> SessionID { SessionID(rawValue: try reader.readInt64()) }
        func small() throws(DecodingError) -> Int32 { Int32(truncatingIfNeeded: try reader.readInt64()) }
        switch type {
        case 0: self = .hello(server: try small())
        case 1: self = .askVote(epoch: try reader.readInt64(), last: try zxid())
        case 2: self = .vote(epoch: try reader.readInt64())
        case 3:
            let (epoch, round) = (try reader.readInt64(), try reader.readInt64())
            let (before, start, committed) = (try zxid(), try small(), try zxid())
            let count = try reader.readCount(minimumElementBytes: ToyEntry.byteCount)
            var entries: [ToyEntry] = []
            for _ in 0..<count { entries.append(try ToyEntry(from: &reader)) }
            self = .append(
                epoch: epoch, round: round, before: before, start: start, committed: committed, entries: entries)
        case 4: self = .appended(epoch: try reader.readInt64(), round: try reader.readInt64(), count: try small())
        case 5: self = .refused(epoch: try reader.readInt64(), round: try reader.readInt64(), count: try small())
        case 6: self = .forward(session: try session(), cxid: try small(), command: try ToyCommand(from: &reader))
        case 7: self = .touch(session: try session(), ping: try reader.readInt64())
        case 8: self = .touched(session: try session(), ping: try reader.readInt64())
        case 9: self = .connect(session: try session(), lastZxid: try zxid(), timeoutMilliseconds: try small())
        case 10: self = .connected(session: try session(), zxid: try zxid())
        case 11: self = .noSession
        case 12:
            let (cxid, watches) = (try small(), try small() != 0)
            self = .request(cxid: cxid, command: try ToyCommand(from: &reader), watches: watches)
        case 13:
            let (cxid, zxid) = (try small(), try zxid())
            let (isDone, value, version) = (try small() != 0, try reader.readInt64(), try small())
            self = .reply(
                cxid: cxid, zxid: zxid, answer: ToyAnswer(isDone: isDone, value: value, version: version))
        case 14:
            let last = try zxid()
            let count = try reader.readCount(minimumElementBytes: 4)
            var keys: [Int32] = []
            for _ in 0..<count { keys.append(try reader.readInt32()) }
            self = .watch(keys: keys, lastZxid: last)
        case 15: self = .event(key: try small())
        case 16: self = .ping(try reader.readInt64())
        case 17: self = .pong(try reader.readInt64())
        case 18: self = .bye(cxid: try small())
        default: throw .invalid("message")
        }
    }
}

/// Bytes that have come on one link and are not yet whole messages.
struct ToyInput: Sendable {
    private var bytes: [UInt8] = []
    private var start = 0

    mutating func append(_ span: Span<UInt8>) {
        if start > 0, start == bytes.count {
            bytes.removeAll(keepingCapacity: true)
            start = 0
        }
        bytes.reserveCapacity(bytes.count + span.count)
        for index in span.indices { bytes.append(span[index]) }
    }

    /// The next whole message; what cannot be read is a mistake of the toy.
    mutating func next() -> ToyMessage? {
        guard bytes.count - start >= 4 else { return nil }
        var reader = ByteReader(bytes, in: start..<bytes.count)
        do throws(DecodingError) {
            let length = Int(try reader.readInt32())
            guard reader.remaining >= length else { return nil }
            let message = try ToyMessage(from: &reader)
            start += 4 + length
            return message
        } catch {
            preconditionFailure("the toy cannot read what it wrote: \(error)")
        }
    }
}

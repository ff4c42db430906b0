import ConclaveCore
import ConclaveWire
import Testing

/// Decodes a whole message and says it again, so that bytes can be compared with bytes.
struct Codec: Sendable {
    let name: String
    let bytes: [UInt8]
    /// Decodes from the reader and returns what encoding the result gives.
    let again: @Sendable (inout ByteReader) throws(DecodingError) -> [UInt8]
    /// Lengths at which a cut message is still a whole one.
    var wholeAt: [Int] = []

    func decoded(_ bytes: [UInt8]) throws(DecodingError) -> [UInt8] {
        var reader = ByteReader(bytes)
        return try again(&reader)
    }
}

/// Rough handling that every decoder must bear.
enum Handling {
    static func whole(_ codec: Codec) throws {
        var reader = ByteReader(codec.bytes)
        let again = try codec.again(&reader)
        #expect(again == codec.bytes, "\(codec.name)")
        #expect(reader.isAtEnd, "\(codec.name): \(reader.remaining) bytes left")
    }

    /// Every message cut at every length throws, unless what is left is a message of its own.
    static func cut(_ codec: Codec) throws {
        for length in 0..<codec.bytes.count {
            let part = Array(codec.bytes[..<length])
            do throws(DecodingError) {
                let again = try codec.decoded(part)
                guard codec.wholeAt.contains(length), again.starts(with: part) else {
                    Issue.record("\(codec.name) cut at \(length) was understood")
                    continue
                }
            } catch {
                guard codec.wholeAt.contains(length) else { continue }
                Issue.record("\(codec.name) cut at \(length): \(error)")
            }
        }
    }

    /// Bytes before and behind are not touched.
    static func embedded(_ codec: Codec) throws {
        let front: [UInt8] = [0xFF, 0x00, 0x7F]
        let all = front + codec.bytes + [0x00, 0x00, 0x00, 0x01, 0xFF]
        var reader = ByteReader(all, in: 3..<(3 + codec.bytes.count))
        #expect(try codec.again(&reader) == codec.bytes, "\(codec.name)")
        #expect(reader.isAtEnd)
    }

    /// Every byte replaced by others: an error or another value, never a trap, and what is understood can be said again
    /// and understood again.
    static func flipped(_ codec: Codec, masks: [UInt8] = [0xFF, 0x80, 0x01]) throws {
        var changed = codec.bytes
        for index in codec.bytes.indices {
            for mask in masks {
                changed[index] ^= mask
                defer { changed[index] ^= mask }
                guard let again = try? codec.decoded(changed) else { continue }
                guard again != codec.bytes else { continue }
                let third = try codec.decoded(again)
                if third != again { Issue.record("\(codec.name), byte \(index) with \(mask)") }
            }
        }
    }

    static func all(_ codec: Codec) throws {
        try whole(codec)
        try cut(codec)
        try embedded(codec)
        try flipped(codec)
    }
}

extension Codec {
    /// A request with its header.
    static func request(_ name: String, _ bytes: [UInt8]) -> Codec {
        Codec(
            name: name, bytes: bytes,
            again: { (reader: inout ByteReader) throws(DecodingError) -> [UInt8] in
                let header = try RequestHeader(from: &reader)
                let request = try ClientRequest.decode(header.operation, from: &reader)
                return written {
                    RequestHeader(xid: header.xid, operation: request.operation).encode(into: &$0)
                    request.encodeBody(into: &$0)
                }
            })
    }

    /// A reply to an operation, with its header.
    static func reply(_ name: String, to operation: OperationCode, _ bytes: [UInt8]) -> Codec {
        Codec(
            name: name, bytes: bytes,
            again: { (reader: inout ByteReader) throws(DecodingError) -> [UInt8] in
                let header = try ReplyHeader(from: &reader)
                guard header.error == .ok else {
                    // A failed SASL step is the one failure with a body.
                    let token = operation == .sasl ? try reader.readBuffer() : nil
                    return written {
                        header.encode(into: &$0)
                        if operation == .sasl { $0.writeBuffer(token) }
                    }
                }
                let body = try ReplyBody.decode(for: operation, from: &reader)
                return written {
                    header.encode(into: &$0)
                    body.encode(for: operation, into: &$0)
                }
            })
    }

    static func event(_ name: String, _ bytes: [UInt8]) -> Codec {
        Codec(
            name: name, bytes: bytes,
            again: { (reader: inout ByteReader) throws(DecodingError) -> [UInt8] in
                let header = try ReplyHeader(from: &reader)
                let event = try WatcherEvent(from: &reader)
                return written {
                    header.encode(into: &$0)
                    event.encode(into: &$0)
                }
            })
    }

    static func connectRequest(_ name: String, _ bytes: [UInt8], wholeAt: [Int] = []) -> Codec {
        Codec(
            name: name, bytes: bytes,
            again: { (reader: inout ByteReader) throws(DecodingError) -> [UInt8] in
                let request = try ConnectRequest(from: &reader)
                return written { request.encode(into: &$0) }
            }, wholeAt: wholeAt)
    }

    static func connectResponse(_ name: String, _ bytes: [UInt8], wholeAt: [Int] = []) -> Codec {
        Codec(
            name: name, bytes: bytes,
            again: { (reader: inout ByteReader) throws(DecodingError) -> [UInt8] in
                let response = try ConnectResponse(from: &reader)
                return written { response.encode(into: &$0) }
            }, wholeAt: wholeAt)
    }

    static func transaction(_ name: String, _ bytes: [UInt8], wholeAt: [Int] = []) -> Codec {
        Codec(
            name: name, bytes: bytes,
            again: { (reader: inout ByteReader) throws(DecodingError) -> [UInt8] in
                let transaction = try TransactionCodec.decode(&reader)
                return written { TransactionCodec.encode(transaction, into: &$0) }
            }, wholeAt: wholeAt)
    }
}

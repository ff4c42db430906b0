import ConclaveCore
import Foundation

/// Messages and files captured from the reference; see `Tests/Vectors/README.md`.
enum Vectors {
    /// A request with what the server sent for it.
    struct Exchange: Decodable {
        let name: String
        let request: String
        let response: String?
        let events: [String]

        var isConnect: Bool { name.hasPrefix("connect-") }
    }

    struct QuorumPacket: Decodable {
        let type: String
        let direction: String
        let hex: String
    }

    static let clientFrames: [Exchange] = json("client-frames.json")
    static let saslFrames: [Exchange] = json("sasl-frames.json")
    static let quorumPackets: [QuorumPacket] = json("quorum-packets.json")

    static func file(_ name: String) -> [UInt8] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Vectors")
        return Array(try! Data(contentsOf: folder.appending(path: name)))
    }

    private static func json<Value: Decodable>(_ name: String) -> Value {
        try! JSONDecoder().decode(Value.self, from: Data(file(name)))
    }
}

/// The bytes of a string of hexadecimal digits.
func bytes(_ hex: String) -> [UInt8] {
    let digits = Array(hex.utf8).map { UInt8($0 > 0x40 ? ($0 & 0x0F) + 9 : $0 & 0x0F) }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// What `write` writes.
func written(_ write: (inout ByteWriter) -> Void) -> [UInt8] {
    var writer = ByteWriter()
    write(&writer)
    return writer.bytes
}

/// A frame without its length; the length must be right.
func payload(_ frame: String) -> [UInt8] {
    let all = bytes(frame)
    precondition(all.count - 4 == all[..<4].reduce(0) { $0 << 8 | Int($1) }, "length of \(frame)")
    return Array(all[4...])
}

/// The checksum of all bytes, as files store it.
func adler(_ bytes: some Sequence<UInt8>) -> Int64 {
    let all = Array(bytes)
    return Int64(Adler32.checksum(all.span))
}

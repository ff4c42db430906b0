import ConclaveCore
import ConclaveWire
import Foundation
import Testing

/// The messages between election ports, against those captured from the reference.
struct ElectionMessageTests {
    private struct Captured: Decodable {
        let type: String
        let hex: String
        let note: String
    }

    private static let captured: [Captured] = {
        // The vectors are part of the repository; without them there is nothing to test.
        try! JSONDecoder().decode([Captured].self, from: Data(Vectors.file("election-messages.json")))
    }()
    private static let notifications = captured.filter { $0.type == "notification" }.map { bytes($0.hex) }
    private static let handshakes = captured.filter { $0.type == "initial-message" }.map { bytes($0.hex) }

    private func notification(_ body: [UInt8]) throws -> ElectionNotification {
        var reader = ByteReader(body)
        return try ElectionNotification(from: &reader)
    }

    private func encoded(_ handshake: ElectionHandshake) -> [UInt8] {
        var writer = ByteWriter()
        handshake.encode(into: &writer)
        return writer.bytes
    }

    @Test("Every captured notification is read and written back byte by byte")
    func notificationsRoundTrip() throws {
        #expect(Self.notifications.count == 9)
        for frame in Self.notifications {
            let decoded = try notification(Array(frame.dropFirst(4)))
            var writer = ByteWriter()
            decoded.encodeFrame(into: &writer)
            #expect(writer.bytes == frame)
        }
    }

    @Test("The fields of a captured notification are where they should be")
    func notificationFields() throws {
        let frame = try #require(Self.captured.first { $0.note.hasPrefix("state 2 leader 3 zxid 0x200000009") })
        let decoded = try notification(Array(bytes(frame.hex).dropFirst(4)))
        #expect(decoded.state == .leading)
        #expect(decoded.leader == ServerID(rawValue: 3))
        #expect(decoded.zxid == Zxid(rawValue: 0x2_0000_0009))
        #expect(decoded.round == 2)
        #expect(decoded.peerEpoch == 2)
        #expect(decoded.version == 2)
        #expect(String(decoding: decoded.configuration, as: UTF8.self).hasSuffix("version=0"))
    }

    @Test("An observer's vote is for nobody")
    func observerVote() throws {
        let frame = try #require(Self.captured.first { $0.note.hasPrefix("LOOKING observer 2") })
        let decoded = try notification(Array(bytes(frame.hex).dropFirst(4)))
        #expect(decoded.leader.rawValue == .min)
        #expect(decoded.zxid.rawValue == .min)
        #expect(decoded.peerEpoch == .min)
    }

    @Test("A notification of 28 bytes takes the epoch from its zxid")
    func oldNotification() throws {
        var writer = ByteWriter()
        writer.writeInt32(0)
        for value in [3, 0x5_0000_0007, 9] as [Int64] { writer.writeInt64(value) }
        let decoded = try notification(writer.bytes)
        #expect(decoded.peerEpoch == 5)
        #expect(decoded.round == 9)
        #expect(decoded.version == 0)
        #expect(decoded.configuration.isEmpty)
    }

    @Test("A notification of 40 bytes has version 0; one of version 1 has no configuration")
    func notificationsWithoutConfiguration() throws {
        let whole = Array(Self.notifications[0].dropFirst(4))
        #expect(try notification(Array(whole[..<40])).version == 0)
        var older = Array(whole[..<40]) + [0, 0, 0, 7]
        older[39] = 1
        let decoded = try notification(older)
        #expect(decoded.version == 1)
        #expect(decoded.configuration.isEmpty)
    }

    @Test("A notification cut anywhere else is refused")
    func cutNotifications() {
        let whole = Array(Self.notifications[0].dropFirst(4))
        for length in 0..<whole.count where length != 28 && length != 40 {
            #expect(throws: DecodingError.self) { try notification(Array(whole[..<length])) }
        }
    }

    @Test(
        "Unknown states and impossible lengths of the configuration are refused", arguments: [-1, 4, 1_000] as [Int32])
    func badNotifications(number: Int32) {
        var whole = Array(Self.notifications[0].dropFirst(4))
        whole.replaceSubrange(0..<4, with: withUnsafeBytes(of: number.bigEndian) { Array($0) })
        #expect(throws: DecodingError.self) { try notification(whole) }
        whole = Array(Self.notifications[0].dropFirst(4))
        whole.replaceSubrange(40..<44, with: withUnsafeBytes(of: (number == 4 ? .min : number).bigEndian) { Array($0) })
        #expect(throws: DecodingError.self) { try notification(whole) }
    }

    @Test("Captured handshakes are read and written back byte by byte, with bytes behind them")
    func handshakesRoundTrip() throws {
        #expect(Self.handshakes.count == 3)
        for captured in Self.handshakes {
            let decoded = try #require(try ElectionHandshake.decode(captured + [0, 0, 0, 182]))
            #expect(decoded.count == captured.count)
            #expect(encoded(decoded.handshake) == captured)
            for length in 0..<captured.count {
                #expect(try ElectionHandshake.decode(Array(captured[..<length])) == nil)
            }
        }
        let several = try #require(try ElectionHandshake.decode(Self.handshakes[2])).handshake
        #expect(several.server == ServerID(rawValue: 2))
        #expect(several.addresses.map(\.description) == ["127.0.0.1:23921", "127.0.0.2:23923"])
    }

    @Test("A first number that is not negative is the id of an old server")
    func oldHandshake() throws {
        var writer = ByteWriter()
        writer.writeInt64(7)
        let decoded = try #require(try ElectionHandshake.decode(writer.bytes + [1, 2]))
        #expect(decoded.handshake == ElectionHandshake(server: ServerID(rawValue: 7), addresses: []))
        #expect(decoded.count == 8)
    }

    @Test("Addresses of IPv6 stand in brackets; wildcards are told from the others")
    func addresses() throws {
        let addresses = [ElectionAddress(host: "2001:db8::1", port: 3888), ElectionAddress(host: "::", port: 3888)]
        let handshake = ElectionHandshake(server: ServerID(rawValue: -3), addresses: addresses)
        let text = String(decoding: encoded(handshake).dropFirst(20), as: UTF8.self)
        #expect(text == "[2001:db8::1]:3888|[::]:3888")
        #expect(try ElectionHandshake.decode(encoded(handshake))?.handshake == handshake)
        #expect(addresses.map(\.isWildcard) == [false, true])
        #expect(ElectionAddress(host: "0.0.0.0", port: 1).isWildcard)
        #expect(ElectionAddress(host: "10.0.0.0", port: 0).isWildcard)
        #expect(!ElectionAddress(host: "10.0.0.0", port: 1).isWildcard)
    }

    @Test(
        "Handshakes that make no sense are refused",
        arguments: ["no port", "host:", ":1", "host:65536", "host:-1", "a:1|", "[::1:3", "host:1x"])
    func badAddresses(text: String) {
        var writer = ByteWriter()
        writer.writeInt64(-65_535)
        writer.writeInt64(1)
        writer.writeString(text)
        #expect(throws: DecodingError.self) { try ElectionHandshake.decode(writer.bytes) }
    }

    @Test("The length of the addresses is bounded on both sides")
    func handshakeLimits() throws {
        for length in [0, -1, 2_049, .max, .min] as [Int32] {
            var writer = ByteWriter()
            writer.writeInt64(-65_536)
            writer.writeInt64(1)
            writer.writeInt32(length)
            #expect(throws: DecodingError.self) { try ElectionHandshake.decode(writer.bytes) }
        }
        for version in [-1, -65_537, .min] as [Int64] {
            var writer = ByteWriter()
            writer.writeInt64(version)
            #expect(throws: DecodingError.self) { try ElectionHandshake.decode(writer.bytes) }
        }
        let many = (0..<200).map { ElectionAddress(host: "host-number-\($0)", port: 3888) }
        let bytes = encoded(ElectionHandshake(server: ServerID(rawValue: 1), addresses: many))
        #expect(bytes.count <= ElectionHandshake.maximumBytes)
        #expect(try ElectionHandshake.decode(bytes) != nil)
    }

    @Test("Flipped bits are refused or read, and never trap")
    func flippedBits() {
        for original in [Self.notifications[0], Self.handshakes[2]] {
            for index in original.indices {
                for bit in 0..<8 {
                    var flipped = original
                    flipped[index] ^= 1 << bit
                    _ = try? notification(Array(flipped.dropFirst(4)))
                    _ = try? ElectionHandshake.decode(flipped)
                }
            }
        }
    }
}

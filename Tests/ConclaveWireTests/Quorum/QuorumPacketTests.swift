import ConclaveCore
import ConclaveWire
import Testing

struct QuorumPacketTests {
    /// Everything that was captured save the raw snapshot, which is no packet.
    static let captured = Vectors.quorumPackets.filter { $0.type != "SNAPSHOT" }.map { bytes($0.hex) }

    @Test("Captured packets are understood and said again byte for byte")
    func capturedPackets() throws {
        for vector in Vectors.quorumPackets where vector.type != "SNAPSHOT" {
            var decoder = QuorumPacketDecoder()
            decoder.feed(bytes(vector.hex))
            let packet = try #require(try decoder.next(), "\(vector.type)")
            #expect(packet.bytes == bytes(vector.hex), "\(vector.type)")
            #expect(decoder.pendingBytes == 0)
            #expect(try decoder.next() == nil)
        }
    }

    @Test("Captured packets have the kind that they were captured as")
    func kinds() throws {
        let names: [String: QuorumPacket.Kind] = [
            "REQUEST": .request, "PROPOSAL": .proposal, "ACK": .ack, "COMMIT": .commit, "PING": .ping,
            "REVALIDATE": .revalidate, "SYNC": .sync, "INFORM": .inform, "COMMITANDACTIVATE": .commitAndActivate,
            "NEWLEADER": .newLeader, "FOLLOWERINFO": .followerInfo, "UPTODATE": .upToDate, "DIFF": .diff,
            "TRUNC": .truncate, "SNAP": .snapshot, "OBSERVERINFO": .observerInfo, "LEADERINFO": .leaderInfo,
            "ACKEPOCH": .ackEpoch, "INFORMANDACTIVATE": .informAndActivate,
        ]
        var seen: Set<QuorumPacket.Kind> = []
        for vector in Vectors.quorumPackets where vector.type != "SNAPSHOT" {
            let packet = try #require(try only(bytes(vector.hex)))
            #expect(packet.kind == names[vector.type], "\(vector.type)")
            seen.insert(packet.kind)
        }
        #expect(seen.count == QuorumPacket.Kind.allCases.count)
    }

    @Test(
        "A stream of all captured packets is cut the same way whatever the pieces",
        arguments: [1, 2, 3, 7, 19, 64, 4096])
    func pieces(size: Int) throws {
        let stream = Self.captured.flatMap { $0 }
        var decoder = QuorumPacketDecoder()
        var decoded: [[UInt8]] = []
        for start in stride(from: 0, to: stream.count, by: size) {
            decoder.feed(Array(stream[start..<min(stream.count, start + size)]))
            while let packet = try decoder.next() { decoded.append(packet.bytes) }
        }
        #expect(decoded == Self.captured)
    }

    @Test("A packet that is cut anywhere is waited for")
    func cut() throws {
        for whole in Self.captured {
            for length in 0..<whole.count {
                var decoder = QuorumPacketDecoder()
                decoder.feed(Array(whole[..<length]))
                #expect(try decoder.next() == nil)
                decoder.feed(Array(whole[length...]))
                #expect(try decoder.next()?.bytes == whole)
            }
        }
    }

    @Test("Any byte changed gives an error, another packet, or a wait, and what is understood can be said again")
    func flipped() {
        for whole in Self.captured {
            var changed = whole
            for index in changed.indices {
                for mask: UInt8 in [0xFF, 0x80, 0x01] {
                    changed[index] ^= mask
                    defer { changed[index] ^= mask }
                    guard let packet = try? only(changed) else { continue }
                    if (try? only(packet.bytes)) != packet { Issue.record("byte \(index) with \(mask)") }
                }
            }
        }
    }

    @Test("A kind that does not exist is an error, and stays one")
    func unknownKind() {
        for kind: Int32 in [0, 20, -1, .max, .min] {
            var decoder = QuorumPacketDecoder()
            decoder.feed(
                written {
                    $0.writeInt32(kind); $0.writeInt64(0); $0.writeInt64(-1)
                })
            #expect(throws: QuorumPacketError.unknownKind(kind)) { try decoder.next() }
            decoder.feed(Self.captured[0])
            #expect(throws: QuorumPacketError.unknownKind(kind)) { try decoder.next() }
        }
    }

    @Test("Data may be as long as the limit and not longer, and costs nothing before it is there")
    func dataLimit() throws {
        let packet = QuorumPacket(.proposal, zxid: .zero, data: [UInt8](repeating: 7, count: 100))
        var exact = QuorumPacketDecoder(maximumBytes: 100)
        exact.feed(packet.bytes)
        #expect(try exact.next() == packet)
        for length: Int32 in [101, .max, -2, .min] {
            var decoder = QuorumPacketDecoder(maximumBytes: 100)
            decoder.feed(
                written {
                    $0.writeInt32(2); $0.writeInt64(0); $0.writeInt32(length); $0.writeInt32(0)
                })
            #expect(throws: QuorumPacketError.badLength(length)) { try decoder.next() }
        }
    }

    @Test("Too many identities, or one that is too long, is an error")
    func identityLimits() throws {
        func stream(count: Int32, length: Int32) -> [UInt8] {
            written {
                $0.writeInt32(1); $0.writeInt64(-1); $0.writeInt32(-1); $0.writeInt32(count); $0.writeInt32(length)
            }
        }
        let longest = Int32(QuorumPacketDecoder.maximumIdentityBytes)
        for (count, length): (Int32, Int32) in [(1001, 0), (-2, 0), (1, longest + 1), (1, -2)] {
            #expect(throws: QuorumPacketError.badIdentities) { try only(stream(count: count, length: length)) }
        }
        var decoder = QuorumPacketDecoder()
        decoder.feed(stream(count: 1000, length: longest))
        #expect(try decoder.next() == nil)
    }

    @Test("Null and empty are different, for data and for identities")
    func nulls() throws {
        for data: [UInt8]? in [nil, []] {
            for identities: [Identity]? in [nil, []] {
                let packet = QuorumPacket(.request, data: data, identities: identities)
                #expect(try only(packet.bytes) == packet)
            }
        }
    }

    @Test("Identities that are null or not UTF-8 cost no learner its connection")
    func oddIdentities() throws {
        let odd = written {
            $0.writeInt32(1); $0.writeInt64(-1); $0.writeInt32(-1); $0.writeInt32(2)
            $0.writeInt32(-1); $0.writeInt32(-1)
            $0.writeString("digest"); $0.writeBuffer([0x62, 0xED, 0xA0, 0x80])
        }
        let packet = try #require(try only(odd))
        #expect(packet.identities?.count == 2)
        #expect(packet.identities?.first == Identity(scheme: "", id: ""))
        #expect(packet.identities?.last?.scheme == "digest")
    }

    @Test("The bytes behind the last packet are given back, and packets may follow later")
    func rest() throws {
        let packet = QuorumPacket(.snapshot, zxid: Zxid(epoch: 1, counter: 5))
        var decoder = QuorumPacketDecoder()
        decoder.feed((packet.bytes + [0xDE, 0xAD, 0xBE, 0xEF]))
        #expect(try decoder.next() == packet)
        #expect(decoder.takeRest() == [0xDE, 0xAD, 0xBE, 0xEF])
        #expect(decoder.takeRest() == [])
        decoder.feed(packet.bytes)
        #expect(try decoder.next() == packet)
    }

    @Test("A long run of small packets, arriving bytewise behind a large one, takes time in proportion")
    func longRun() throws {
        var decoder = QuorumPacketDecoder()
        let large = QuorumPacket(.proposal, zxid: .zero, data: [UInt8](repeating: 1, count: 200_000))
        for byte in large.bytes {
            decoder.feed([byte])
            if let packet = try decoder.next() { #expect(packet == large) }
        }
        var stream: [UInt8] = []
        for counter: UInt32 in 1...20_000 { stream += QuorumPacket(.ack, zxid: Zxid(epoch: 1, counter: counter)).bytes }
        decoder.feed(stream)
        var count: UInt32 = 0
        while let packet = try decoder.next() {
            count += 1
            if packet.zxid.counter != count { Issue.record("\(packet.zxid) at \(count)") }
        }
        #expect(count == 20_000)
    }

    /// The packet that some bytes begin with; `nil` if it is not whole.
    private func only(_ bytes: [UInt8]) throws -> QuorumPacket? {
        var decoder = QuorumPacketDecoder()
        decoder.feed(bytes)
        return try decoder.next()
    }
}

extension QuorumPacketDecoder {
    mutating func feed(_ bytes: [UInt8]) { append(bytes.span) }
}

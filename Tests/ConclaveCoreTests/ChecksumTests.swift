import ConclaveCore
import Testing

struct ChecksumTests {
    private static let message = Array("123456789".utf8)

    @Test("CRC-32 gives the check value of its catalogue entry, whatever the pieces")
    func crc() {
        for cut in 0...Self.message.count {
            var crc = CRC32()
            let (head, tail) = (Array(Self.message[..<cut]), Array(Self.message[cut...]))
            crc.update(head.span)
            crc.update(tail.span)
            #expect(crc.value == 0xCBF4_3926)
        }
    }

    @Test("CRC-32 of integers is that of their big-endian bytes")
    func crcOfIntegers() {
        var writer = ByteWriter()
        var direct = CRC32()
        for number in [0, 1, -1, Int64.max, Int64.min, 0x0123_4567_89AB_CDEF] {
            writer.writeInt64(number)
            direct.update(number)
            writer.writeInt32(Int32(truncatingIfNeeded: number))
            direct.update(Int32(truncatingIfNeeded: number))
        }
        var whole = CRC32()
        whole.update(writer.bytes.span)
        #expect(direct == whole)
    }

    @Test("Adler-32 gives the value of the standard's example and survives long runs of high bytes")
    func adler() {
        let name = Array("Wikipedia".utf8)
        #expect(Adler32.checksum(name.span) == 0x11E6_0398)
        #expect(Adler32().value == 1)
        let high = [UInt8](repeating: 0xFF, count: 100_000)
        var naive: (low: UInt64, high: UInt64) = (1, 0)
        for byte in high {
            naive.low = (naive.low + UInt64(byte)) % 65521
            naive.high = (naive.high + naive.low) % 65521
        }
        #expect(Adler32.checksum(high.span) == UInt32(naive.high << 16 | naive.low))
    }

    @Test("SHA-1 gives the values of its standard")
    func sha1() {
        func hex(_ text: String) -> String {
            SHA1.hash(Array(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        #expect(hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(
            hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
                == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
    }

    @Test("Base64 pads", arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
    func base64(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
    }
}

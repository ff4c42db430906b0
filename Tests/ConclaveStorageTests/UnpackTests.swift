import ConclaveStorage
import Foundation
import TestLanes
import Testing

/// Unpacking gzip data. What was packed are lines of which the first two are the same in every sample.
@Suite(.aside) struct UnpackTests {
    enum Sample: String, CaseIterable {
        /// Made by zlib with codes of its own choice fixed, 3000 bytes.
        case fixed = """
            H4sIAAAAAAAAA8vJzEtVMFAwMjQxs+DKAXEMFSwtLaBsIwUjI0NDcwjHWMHYxBIqYaJgaGZpBJUwBXIMTEwhHDMFQ0tzE0MIx1zB0MjQyAjCsVCw\
            MDE0gLAtgRJGZlBVhkD7zQ1MocoMDRVMzUwtoRwjBUtzU5jLjIHuNLCA2mpoomBkamEOtdbQVMHYyBjuBzMFIzMjY2MoD+gMU6A7oDwLoIAZ3G5L\
            BSMDE0szqH8NFCwMLaFSRoYKRsYGZlALjIBhYWxiDpMDBoaRAVwbMDgMzC1gcsDwMDGFywGdYgy33MgcqNjIxATKswB6FeYSI0sFU0OohDEwREzN\
            TKDuNzYEet0UGnLGRkA3m5pDTTc2VrAwMIWaYAx0hgXQkVAeKFosLKAWGwPjxdjACGaiuYKppQWMYwH0qqEZzERLsD+h4T+aMkZTxmjKGE0Zoylj\
            NGWMpozRlDGaMgZJygAA81yQeLgLAAA=
            """
        /// Not compressed, 200 bytes.
        case stored = """
            H4sIAAAAAAAAAwHIADf/bGluZSAwIDIxNDY4CmxpbmUgMSA5OTg4CmxpbmUgMiAyMjExNwpsaW5lIDMgMzQ5OApsaW5lIDQgMTY5MjcKbGluZSA1\
            IDE2MDQ1CmxpbmUgNiAxOTc0MQpsaW5lIDcgMTIxMjIKbGluZSA4IDg0MTAKbGluZSA5IDEyMjYxCmxpbmUgMTAgMjcwNTIKbGluZSAxMSA1NjU5\
            CmxpbmUgMTIgOTc1OApsaW5lIDEzIDIxMDg3CmxpbmUgMTQgMjU4NzUKbGluZSBONyVNyAAAAA==
            """

        var packed: [UInt8] { Array(Data(base64Encoded: rawValue) ?? Data()) }
        var count: Int { self == .fixed ? 3000 : 200 }
    }

    private func unpack(_ bytes: [UInt8], piece: Int) throws -> [UInt8]? {
        var inflater = Inflater()
        var output: [UInt8] = []
        var packed: [UInt8] = []
        var isDone = false
        var next = 0
        while next < bytes.count {
            packed += bytes[next..<min(next + piece, bytes.count)]
            next += piece
            var before = -1
            while output.count != before {
                before = output.count
                isDone = try inflater.inflate(&packed, into: &output, limit: 64)
            }
        }
        return isDone ? output : nil
    }

    @Test("Packed bytes are unpacked whole and in pieces", arguments: Sample.allCases, [1, 7, 100_000])
    func pieces(_ sample: Sample, piece: Int) throws {
        let text = String(decoding: try #require(try unpack(sample.packed, piece: piece)), as: UTF8.self)
        #expect(text.utf8.count == sample.count)
        #expect(text.hasPrefix("line 0 21468\nline 1 9988\nline 2 22117\n"))
    }

    @Test("Damaged and cut data is found out", arguments: Sample.allCases)
    func damage(_ sample: Sample) throws {
        let packed = sample.packed
        let whole = try #require(try unpack(packed, piece: packed.count))
        for length in 0..<packed.count {
            #expect(try unpack(Array(packed.prefix(length)), piece: packed.count) == nil, "cut at \(length)")
        }
        for byte in packed.indices {
            var damaged = packed
            damaged[byte] ^= 0x10
            // Some bits say nothing: the time in the header, and what pads blocks to whole bytes.
            let result = try? unpack(damaged, piece: packed.count)
            #expect(result == nil || result == whole, "byte \(byte)")
        }
    }
}

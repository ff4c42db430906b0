import ConclaveCore
import Foundation
import Testing

struct PathTests {
    private struct Vectors: Decodable {
        struct Path: Decodable {
            let path: String
            let valid: Bool
        }
        struct Digest: Decodable {
            let credential: String
            let id: String
        }
        let digest_auth: [Digest]
    }

    private static func computed() throws -> Data {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return try Data(contentsOf: folder.appending(path: "Vectors/computed.json"))
    }

    @Test("Digest identities are the reference's")
    func digestIdentities() throws {
        // The file also lists paths with lone surrogates, which no JSON decoder takes; only this part is decoded here.
        let text = String(decoding: try Self.computed(), as: UTF8.self)
        let start = try #require(text.range(of: "\"digest_auth\":"))
        let end = try #require(text.range(of: "],", range: start.upperBound..<text.endIndex))
        let part = "{" + text[start.lowerBound..<end.upperBound].dropLast() + "}"
        let vectors = try JSONDecoder().decode(Vectors.self, from: Data(part.utf8))
        #expect(vectors.digest_auth.count >= 5)
        for vector in vectors.digest_auth {
            #expect(DigestIdentity.make(credential: Array(vector.credential.utf8)) == vector.id)
        }
    }

    @Test("The reference's list of valid and invalid paths is judged alike")
    func validation() throws {
        let text = String(decoding: try Self.computed(), as: UTF8.self)
        let line = try Regex(#"\{"path":"([^"]*)","valid":(true|false)\}"#)
        var count = 0
        for match in text.matches(of: line) {
            let escaped = try #require(match.output[1].substring)
            let isValid = match.output[2].substring == "true"
            let path = NodePath(utf8: Self.utf8(escaped))
            #expect((path.violation == nil) == isValid, "\(escaped): \(String(describing: path.violation))")
            count += 1
        }
        #expect(count >= 38)
    }

    /// The bytes of a JSON string; a lone surrogate as the three bytes that Java would write for it.
    private static func utf8(_ escaped: Substring) -> [UInt8] {
        var units: [UInt16] = []
        var rest = escaped
        while let character = rest.first {
            if character == "\\", rest.dropFirst().first == "u" {
                units.append(UInt16(rest.dropFirst(2).prefix(4), radix: 16) ?? 0)
                rest = rest.dropFirst(6)
            } else {
                units += Array(String(character).utf16)
                rest = rest.dropFirst()
            }
        }
        var bytes: [UInt8] = []
        var index = 0
        while index < units.count {
            let unit = UInt32(units[index])
            if (0xD800..<0xDC00).contains(unit), index + 1 < units.count {
                let scalar = 0x10000 + (unit - 0xD800) << 10 + UInt32(units[index + 1]) - 0xDC00
                bytes += Array(String(Character(Unicode.Scalar(scalar) ?? " ")).utf8)
                index += 2
                continue
            }
            if (0xD800..<0xE000).contains(unit) {
                bytes += [0xE0 | UInt8(unit >> 12), 0x80 | UInt8(unit >> 6 & 0x3F), 0x80 | UInt8(unit & 0x3F)]
            } else {
                bytes += Array(String(Character(Unicode.Scalar(unit) ?? " ")).utf8)
            }
            index += 1
        }
        return bytes
    }

    @Test("Bytes that are not UTF-8 make no path", arguments: [[0xFF], [0xC3], [0xC0, 0x80], [0xE0, 0x80, 0x80]])
    func notUTF8(bytes: [UInt8]) {
        #expect(NodePath(utf8: Array("/a".utf8) + bytes).violation == .notUTF8)
    }

    @Test("Parent, name and children of paths")
    func parts() {
        #expect(NodePath("/a/b").parent == "/a")
        #expect(NodePath("/a").parent == .root)
        #expect(NodePath.root.parent == nil)
        #expect(Array(NodePath("/a/bc").name) == Array("bc".utf8))
        #expect(NodePath.root.appending("a".utf8) == "/a")
        #expect(NodePath("/a").appending("b".utf8) == "/a/b")
    }
}

/// Base64 with padding. Source: RFC 4648, section 4.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for (index, byte) in group.enumerated() { bits |= UInt32(byte) << UInt32(16 - 8 * index) }
            for index in 0..<4 {
                let value = Int(bits >> UInt32(18 - 6 * index)) & 0x3F
                text.append(index <= group.count ? alphabet[value] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// The identity that the `digest` scheme gives to `user:password`.
package enum DigestIdentity {
    /// `user:base64(SHA-1(user:password))`; the user is what stands before the first colon.
    package static func make(credential: [UInt8]) -> String {
        let user = credential.prefix { $0 != UInt8(ascii: ":") }
        return String(decoding: user, as: UTF8.self) + ":" + Base64.encode(SHA1.hash(credential))
    }
}

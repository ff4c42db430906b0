public import ConclaveCore

/// What a subscriber says of the newest revision that it has taken.
///
/// One line of text in the subscriber's node: `<version> <zxid in hexadecimal> applied`, or `… refused <reason>`.
public struct ConfigurationAcknowledgement: Hashable, Sendable {
    /// The subscriber's name.
    public let subscriber: String
    /// The revision.
    public let version: Int32
    /// The transaction that wrote the revision.
    public let zxid: Zxid
    /// Why it was not applied; `nil` if it was.
    public let refusal: String?

    /// The longest reason that is kept, in characters.
    static let reasonLimit = 200

    init(subscriber: String, version: Int32, zxid: Zxid, refusal: String?) {
        self.subscriber = subscriber
        self.version = version
        self.zxid = zxid
        self.refusal = refusal
    }

    /// Reads a subscriber's node; `nil` if it holds something else.
    init?(subscriber: String, bytes: [UInt8]) {
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ", maxSplits: 3)
        guard words.count >= 3, let version = Int32(words[0]), let zxid = UInt64(words[1], radix: 16) else {
            return nil
        }
        switch words[2] {
        case "applied": refusal = nil
        case "refused": refusal = words.count > 3 ? String(words[3]) : ""
        default: return nil
        }
        self.subscriber = subscriber
        self.version = version
        self.zxid = Zxid(rawValue: Int64(bitPattern: zxid))
    }

    var bytes: [UInt8] {
        let place = "\(version) \(String(UInt64(bitPattern: zxid.rawValue), radix: 16))"
        guard let refusal else { return Array("\(place) applied".utf8) }
        let line = refusal.prefix(Self.reasonLimit).map { $0.isNewline ? " " : $0 }
        return Array("\(place) refused \(String(line))".utf8)
    }
}

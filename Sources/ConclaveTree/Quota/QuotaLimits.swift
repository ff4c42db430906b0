/// The text in the quota nodes: limits in `zookeeper_limits`, usage in `zookeeper_stats`.
///
/// ```
/// count=<n>,bytes=<n>
/// count=<n>,bytes=<n>=;byteHardLimit=<n>;countHardLimit=<n>
/// ```
/// The stray `=` in front of the further keys is the reference's and is kept. -1 means no limit.
/// Source: wire-protocol, section 11.1.
package struct QuotaLimits: Equatable, Sendable {
    package var count: Int64 = -1
    package var bytes: Int64 = -1
    /// Every other key that the text names, sorted.
    private var others: [Entry] = []

    private struct Entry: Equatable, Sendable {
        var key: [UInt8]
        var value: Int64
    }

    private static let countKey = Array("count".utf8)
    private static let bytesKey = Array("bytes".utf8)
    private static let countHardKey = Array("countHardLimit".utf8)
    private static let bytesHardKey = Array("byteHardLimit".utf8)

    package init(count: Int64 = -1, bytes: Int64 = -1) {
        self.count = count
        self.bytes = bytes
    }

    /// Reads the text; pieces that make no sense are left out.
    package init(parsing text: some Collection<UInt8>) {
        for piece in text.split(whereSeparator: { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: ";") }) {
            let parts = piece.split(separator: UInt8(ascii: "="), omittingEmptySubsequences: false)
            guard parts.count > 1, !parts[0].isEmpty else { continue }
            guard let value = parts[1].isEmpty ? -1 : Int64(String(decoding: parts[1], as: UTF8.self)) else { continue }
            set(Array(parts[0]), value)
        }
    }

    /// The limit on the number of nodes that is enforced; `nil` if there is none.
    package var countHardLimit: Int64? { hardLimit(Self.countHardKey) }
    /// The limit on bytes that is enforced; `nil` if there is none.
    package var bytesHardLimit: Int64? { hardLimit(Self.bytesHardKey) }

    private func hardLimit(_ key: [UInt8]) -> Int64? {
        guard let entry = others.first(where: { $0.key == key }), entry.value > -1 else { return nil }
        return entry.value
    }

    private mutating func set(_ key: [UInt8], _ value: Int64) {
        if key == Self.countKey {
            count = value
        } else if key == Self.bytesKey {
            bytes = value
        } else if let index = others.firstIndex(where: { $0.key == key }) {
            others[index].value = value
        } else {
            let index = others.firstIndex { key.lexicographicallyPrecedes($0.key) } ?? others.count
            others.insert(Entry(key: key, value: value), at: index)
        }
    }

    /// The text.
    package var encoded: [UInt8] {
        var text = Array("count=\(count),bytes=\(bytes)".utf8)
        if !others.isEmpty { text.append(UInt8(ascii: "=")) }
        for entry in others {
            text.append(UInt8(ascii: ";"))
            text += entry.key
            text += Array("=\(entry.value)".utf8)
        }
        return text
    }
}

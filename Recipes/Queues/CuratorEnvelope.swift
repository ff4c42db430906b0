/// The envelope in which Curator keeps items in a node.
///
/// ```
/// 00 01 00 01          version, big-endian
/// 01 <length> <bytes>  an item: length 4 bytes big-endian; any number of them
/// 02                   end
/// ```
package enum CuratorEnvelope {
    private static let version: [UInt8] = [0, 1, 0, 1]
    private static let item: UInt8 = 1
    private static let end: UInt8 = 2

    package static func seal(_ items: [[UInt8]]) -> [UInt8] {
        var bytes = version
        bytes.reserveCapacity(items.reduce(5) { $0 + $1.count + 5 })
        for content in items {
            bytes.append(item)
            let length = UInt32(truncatingIfNeeded: content.count)
            for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
            bytes += content
        }
        bytes.append(end)
        return bytes
    }

    /// The items inside; `nil` if this is no whole envelope.
    package static func open(_ bytes: [UInt8]) -> [[UInt8]]? {
        guard bytes.starts(with: version) else { return nil }
        var rest = bytes[version.count...]
        var items: [[UInt8]] = []
        while let code = rest.popFirst() {
            if code == end { return rest.isEmpty ? items : nil }
            guard code == item, rest.count >= 4 else { return nil }
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard rest.count >= length else { return nil }
            items.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return nil
    }
}

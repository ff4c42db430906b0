/// The limits and the usage of a quota, in the text form in which they are stored.
///
/// ```
/// count=5,bytes=-1                                            soft limits only; -1 stands for "no limit"
/// count=5,bytes=100=;byteHardLimit=-1;countHardLimit=9        hard ones as well; the stray "=" is really there
/// ```
package struct QuotaText: Equatable, Sendable {
    package var count: Int64 = -1
    package var bytes: Int64 = -1
    package var countHardLimit: Int64 = -1
    package var byteHardLimit: Int64 = -1

    package init() {}

    /// Reads the text; what cannot be read counts as no limit.
    package init(_ text: String) {
        for piece in text.split(whereSeparator: { $0 == "," || $0 == ";" }) {
            let sides = piece.split(separator: "=")
            guard sides.count == 2, let number = Int64(sides[1]) else { continue }
            switch sides[0] {
            case "count": count = number
            case "bytes": bytes = number
            case "countHardLimit": countHardLimit = number
            case "byteHardLimit": byteHardLimit = number
            default: break
            }
        }
    }

    package var text: String {
        let soft = "count=\(count),bytes=\(bytes)"
        guard countHardLimit > -1 || byteHardLimit > -1 else { return soft }
        return soft + "=;byteHardLimit=\(byteHardLimit);countHardLimit=\(countHardLimit)"
    }

    package var hasLimits: Bool { count > -1 || bytes > -1 || countHardLimit > -1 || byteHardLimit > -1 }

    /// Where the quota of a node is stored.
    package static func folder(of path: String) -> String { root + (path == "/" ? "" : path) }
    package static let root = "/zookeeper/quota"
    package static let limitsName = "zookeeper_limits"
    package static let statsName = "zookeeper_stats"
}

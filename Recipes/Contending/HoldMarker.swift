import ConclaveCore

/// The name of a node that says: a hold lasts, and if it ends without a release, the next one has to wait.
///
/// ```
/// _c_1f0e…-held-30000ms       persistent; the id is that of the holder's node, the number is the delay
/// ```
///
/// A release deletes it together with the holder's node. So a marker without a contender of the same id was left by a
/// hold that ended otherwise. The name ends in letters and therefore does not contend; it sorts behind all contenders
/// in Curator's order.
package struct HoldMarker: Hashable, Sendable {
    /// The whole name, without the path.
    package let text: String
    /// The id of the holder's attempt.
    package let id: String
    package let delayMilliseconds: Int64

    /// Longer delays are not believed.
    package static let delayLimit = Duration.seconds(3_600)
    private static let limitMilliseconds: Int64 = 3_600_000

    /// The marker of an attempt.
    package init(of attempt: AttemptID, delay: Duration) {
        id = attempt.text
        let (seconds, attoseconds) = delay.components
        // Rounded up: a delay is never shorter than it was asked for.
        let fraction = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        delayMilliseconds = min(Self.limitMilliseconds, max(0, seconds * 1_000 + fraction))
        text = "_c_\(id)-held-\(delayMilliseconds)ms"
    }

    /// Reads a child's name; `nil` if it is no marker.
    package init?(_ text: String) {
        // Contenders' names end in digits, so a look at the last byte passes nearly all of them over.
        guard text.utf8.last == UInt8(ascii: "s") else { return nil }
        let name = Array(text.utf8)
        let (head, word, tail) = (Array("_c_".utf8), Array("-held-".utf8), Array("ms".utf8))
        let start = head.count + 36
        guard name.count > start + word.count + tail.count, name.starts(with: head),
            name[start..<(start + word.count)].elementsEqual(word), name.suffix(tail.count).elementsEqual(tail),
            let delay = Int64(String(decoding: name[(start + word.count)..<(name.count - tail.count)], as: UTF8.self)),
            (0...Self.limitMilliseconds).contains(delay)
        else { return nil }
        self.text = text
        id = String(decoding: name[head.count..<start], as: UTF8.self)
        delayMilliseconds = delay
    }

    /// The markers among the children's names to which no contender belongs, sorted by name.
    package static func orphans(among names: [String]) -> [HoldMarker] {
        let markers = names.compactMap(HoldMarker.init)
        guard !markers.isEmpty else { return [] }
        let contenders = names.filter { ContenderName($0) != nil }
        return markers.filter { marker in !contenders.contains { $0.contains(marker.id) } }
            .sorted { $0.text < $1.text }
    }
}

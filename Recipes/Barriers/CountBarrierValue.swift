/// The data of a count barrier's node: how many must come, and which of the last rounds were broken.
///
/// ```
/// 64
/// broken 3 17
/// ```
///
/// The node's version is the round. Each opening writes the node, so it also wakes everybody who waits.
package struct CountBarrierValue: Hashable, Sendable {
    /// How many rounds are remembered: whoever was in one of them and wakes up later takes it for one that opened.
    package static let brokenLimit = 16

    package let count: Int
    package private(set) var brokenRounds: [Int32]

    package init(count: Int) {
        self.count = count
        brokenRounds = []
    }

    /// Reads a node's data; `nil` if it is not that of a count barrier.
    package init?(_ bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let count = lines.first.flatMap({ Int($0) }), count >= 1 else { return nil }
        self.count = count
        brokenRounds = []
        guard lines.count > 1 else { return }
        let words = lines[1].split(separator: " ")
        guard words.first == "broken" else { return nil }
        brokenRounds = words.dropFirst().compactMap { Int32($0) }
    }

    package mutating func markBroken(_ round: Int32) {
        brokenRounds.append(round)
        brokenRounds = Array(brokenRounds.suffix(Self.brokenLimit))
    }

    package var bytes: [UInt8] {
        var text = String(count)
        if !brokenRounds.isEmpty { text += "\nbroken " + brokenRounds.map { String($0) }.joined(separator: " ") }
        return Array(text.utf8)
    }
}

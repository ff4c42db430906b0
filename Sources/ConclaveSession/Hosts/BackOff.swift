import ConclaveCore

/// How long to wait before the next attempt to connect.
///
/// The first round through all servers is made without waiting, so that the loss of one server costs one attempt. After
/// a round without success the pause grows from 50 ms to a second; each pause is drawn from the upper half of its
/// range, so that the clients of a fallen server do not come back in step.
package struct BackOff: Equatable, Sendable {
    package static let firstMilliseconds: Int64 = 50
    package static let maximumMilliseconds: Int64 = 1_000
    /// A connection that lived for so long counts as a success.
    package static let soundAfterMilliseconds: Int64 = 1_000

    /// Failed attempts since the last success.
    package private(set) var failures = 0

    package init() {}

    package mutating func failed() { failures = min(failures + 1, 1 << 20) }

    /// - Parameter lived: how long the connection that is gone had been there.
    package mutating func lost(after lived: Int64) {
        failures = lived >= Self.soundAfterMilliseconds ? 0 : failures + 1
    }

    /// The pause before the next attempt in milliseconds, 0 for at once.
    package func delay(hosts: Int, using random: inout SeededRandom) -> Int64 {
        let rounds = failures / max(hosts, 1)
        // Only the first attempt of a round waits.
        guard rounds > 0, failures % max(hosts, 1) == 0 else { return 0 }
        let doubled = Self.firstMilliseconds << Int64(min(rounds - 1, 16))
        let range = min(doubled, Self.maximumMilliseconds)
        return range / 2 + Int64.random(in: 0...(range / 2), using: &random)
    }
}

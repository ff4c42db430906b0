import ConclaveCore

/// When to ask another server whether it has a quorum, while the connected one has none: after 100 ms, then in steps
/// that double to a minute.
///
/// Source: wire-protocol section 12.
struct ReadOnlyProbe: Equatable, Sendable {
    static let firstMilliseconds: Int64 = 100
    static let maximumMilliseconds: Int64 = 60_000

    /// When the next question is due; `nil` while one is open and when none is wanted.
    private(set) var dueAt: Instant?
    private var pause = ReadOnlyProbe.firstMilliseconds
    private var step = 0

    mutating func start(now: Instant) {
        self = ReadOnlyProbe()
        dueAt = now.advanced(byMilliseconds: pause)
    }

    mutating func stop() { self = ReadOnlyProbe() }

    /// The host to ask now; `nil` if there is no other.
    mutating func take(from hosts: HostList) -> HostAddress? {
        dueAt = nil
        guard hosts.count > 1 else { return nil }
        step = step % (hosts.count - 1) + 1
        return hosts.other(step)
    }

    /// The host has no quorum either.
    mutating func failed(now: Instant) {
        pause = min(pause * 2, Self.maximumMilliseconds)
        dueAt = now.advanced(byMilliseconds: pause)
    }
}

import ConclaveCore

/// The servers in the order in which they are tried: shuffled once, then round and round.
package struct HostList: Equatable, Sendable {
    private let hosts: [HostAddress]
    private var next = 0

    /// `hosts` must not be empty. The shuffle spreads clients over the servers.
    package init(_ hosts: [HostAddress], using random: inout SeededRandom) {
        precondition(!hosts.isEmpty, "a session needs a server")
        self.hosts = hosts.shuffled(using: &random)
    }

    package var count: Int { hosts.count }

    /// The server that was handed out last.
    package var current: HostAddress { hosts[(next + hosts.count - 1) % hosts.count] }

    /// The server to try now; moves on.
    package mutating func takeNext() -> HostAddress {
        defer { next = (next + 1) % hosts.count }
        return hosts[next]
    }

    /// The server so many steps after the current one, without moving on; `nil` when that is the current one again.
    package func other(_ steps: Int) -> HostAddress? {
        let steps = steps % hosts.count
        return steps == 0 ? nil : hosts[(next + hosts.count - 1 + steps) % hosts.count]
    }

    /// Makes `host` the one that is handed out next.
    package mutating func prefer(_ host: HostAddress) {
        if let index = hosts.firstIndex(of: host) { next = index }
    }
}

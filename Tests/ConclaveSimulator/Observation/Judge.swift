import ConclaveCore

/// Takes what the processes report, keeps the picture of the cluster, and says when a promise is broken.
package struct Judge: Sendable {
    package internal(set) var view: ClusterView
    private var invariants = Invariants()

    /// - Parameter voters: bit n: server n votes.
    package init(servers: Int, voters: UInt64) { view = ClusterView(servers: servers, voters: voters) }

    /// - Parameters:
    ///   - process: who reports; servers first, then clients.
    ///   - until: for a session that is held: the end of the window in true time.
    /// - Returns: the first promise that is broken by this.
    package mutating func observe(
        _ observation: Observation, by process: Int, at time: Int64, until: Int64 = 0
    ) -> Violation? {
        if case .held(let session, _) = observation { view.holds[session] = (until, process) }
        let step = view.record(observation, by: process, at: time)
        return invariants.check(step, view)
    }

    /// A server is down: it shows nothing to anybody.
    package mutating func ended(server: Int) { view.crashed(server) }

    /// A server's disk was damaged on purpose.
    package mutating func damaged(server: Int) { view.servers[server].isDamaged = true }

    /// A client is gone: it believes in nothing.
    package mutating func ended(client: Int) { view.buried(client: client) }
}

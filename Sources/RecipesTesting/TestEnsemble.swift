public import ConclaveClient
public import ConclaveCore
public import ConclaveServer
import Synchronization

/// Servers inside the test's process, clients for them, and faults on demand.
///
/// ```swift
/// import Recipes
/// import RecipesTesting
/// import Testing
///
/// @Test("A nightly run happens once, whatever happens to the servers", arguments: EnsembleFault.allCases)
/// func nightly(fault: EnsembleFault) async throws {
///     try await withTestEnsemble { ensemble in
///         let runs = NightlyRuns(try await ensemble.connect())
///         async let first: Void = runs.start()
///         try await ensemble.inflict(fault)
///         try await first
///         try await ensemble.recover()
///         #expect(try await runs.count() == 1)
///     }
/// }
/// ```
///
/// Starting takes a few tenths of a second; tests that only need a server share an ensemble and use paths of their own. What the
/// faults below do not offer, ``quorum`` does: single servers, partitions, pauses.
public final class TestEnsemble: Sendable {
    /// The servers.
    public let quorum: LocalQuorum
    private let clients = Mutex<[ZooKeeperClient]>([])

    /// Starts servers; returns when all of them serve. ``withTestEnsemble(servers:observers:_:)`` also ends them.
    /// - Throws: as `LocalQuorum.start`.
    public static func start(servers: Int = 3, observers: Int = 0) async throws(ZooKeeperError) -> TestEnsemble {
        TestEnsemble(try await LocalQuorum.start(servers: servers, observers: observers))
    }

    private init(_ quorum: LocalQuorum) { self.quorum = quorum }

    /// What clients connect to.
    public var connectString: String { quorum.connectString }

    /// A new session, which ``stop()`` closes.
    ///
    /// - Parameter options: unless given, with a session time-out of five seconds, so that a server that stands still is left
    ///   soon.
    /// - Throws: as `ZooKeeperClient.connect`.
    public func connect(
        options: ZooKeeperClient.Options = .init(sessionTimeout: .seconds(5))
    ) async throws(ZooKeeperError) -> ZooKeeperClient {
        let client = try await ZooKeeperClient.connect(to: connectString, options: options)
        clients.withLock { $0.append(client) }
        return client
    }

    /// Closes the sessions and stops the servers; their data is gone. May be called repeatedly.
    public func stop() async {
        // Whoever is to close a session in order needs servers.
        try? await recover()
        let clients = clients.withLock { clients in
            defer { clients = [] }
            return clients
        }
        await withTaskGroup(of: Void.self) { group in
            for client in clients { group.addTask { await client.close() } }
        }
        await quorum.stop()
    }

    // MARK: Faults

    /// Makes something happen, to the leader of this moment where it is about one. Returns when it has happened; the ensemble has
    /// yet to deal with it.
    /// - Throws: `.cancelled`; `.badArguments` for ``EnsembleFault/followerKilled`` with a single server.
    public func inflict(_ fault: EnsembleFault) async throws(ZooKeeperError) {
        switch fault {
        case .leaderKilled: try await quorum.kill(try await quorum.untilLeader())
        case .leaderPaused: try await quorum.pause(try await quorum.untilLeader())
        case .leaderCutOff: try await quorum.partition([try await quorum.untilLeader()])
        case .followerKilled:
            let leader = try await quorum.untilLeader()
            guard let follower = quorum.running.first(where: { $0 != leader }) else {
                throw ZooKeeperError(.badArguments, message: "no server follows")
            }
            try await quorum.kill(follower)
        case .connectionsCut: try await quorum.cutClients()
        case .everybodyKilled:
            await quorum.killAll()
            try await quorum.restartAll()
        }
    }

    /// Ends every fault: partitions heal, who stands still goes on, who is down starts again. Returns when all servers serve.
    /// - Throws: `.cancelled`, and as `LocalQuorum.restart`.
    public func recover() async throws(ZooKeeperError) {
        await quorum.heal()
        for id in quorum.servers { try quorum.resume(id) }
        try await quorum.restartAll()
        try await quorum.untilServing()
    }

    /// Ends a client's session behind its back, as if its time-out had passed: what it holds is lost.
    ///
    /// The client notices with its next request or ping.
    /// - Throws: `.sessionExpired` if it is over already, `.cancelled`.
    public func expire(_ client: ZooKeeperClient) async throws(ZooKeeperError) {
        try await quorum.expire(client.sessionID)
    }
}

/// Starts an ensemble, runs a body and ends the ensemble, whatever happens.
///
/// - Parameters:
///   - servers: how many servers vote.
///   - observers: how many follow without a vote.
public func withTestEnsemble<R>(
    servers: Int = 3, observers: Int = 0, _ body: (TestEnsemble) async throws -> R
) async throws -> R {
    let ensemble = try await TestEnsemble.start(servers: servers, observers: observers)
    do {
        let result = try await body(ensemble)
        await ensemble.stop()
        return result
    } catch {
        await ensemble.stop()
        throw error
    }
}

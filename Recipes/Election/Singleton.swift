public import ConclaveClient
public import ConclaveCore

/// Runs one service in the whole cluster: where it runs is elected, and when it is lost it starts elsewhere.
///
/// ```swift
/// let billing = Singleton(connectedTo: "zk1:2181,zk2:2181,zk3:2181", at: "/singletons/billing", identity: "host-7")
/// try await billing.run { term in try await runBilling(fencingToken: term.token) }
/// ```
///
/// Every process calls ``run(_:)``; in one of them the service runs. Unlike ``MasterElection`` it makes its own
/// sessions and so outlives them.
///
/// - **Guarantee**: S10 of the safety statement: the service is cancelled when its term ends early; send the token
///   along with every effect.
/// - **Cancellation** of ``run(_:)`` cancels the service, waits for it, resigns and closes the session.
/// - **Session loss**: the service is cancelled; when it has ended a new session stands as a candidate again.
/// - **Cost**: that of an election for each term, and a session.
public struct Singleton: Sendable {
    private let path: String
    private let identity: String
    private let restarts: RestartPolicy
    private let acl: [ACL]
    private let connect: @Sendable () async throws(ZooKeeperError) -> ZooKeeperClient

    /// A service at a path, over sessions with these servers.
    ///
    /// - Parameters:
    ///   - servers: a connect string, see ``ZooKeeperClient/connect(to:options:)``.
    ///   - options: those of each session.
    ///   - path: the node below which candidates queue, as of ``MasterElection``.
    ///   - identity: what others see of this process.
    ///   - restarts: what follows when the service throws on its own account, or no server can be reached.
    ///   - acl: the access control list of the nodes that are created.
    public init(
        connectedTo servers: String, options: ZooKeeperClient.Options = .init(), at path: String, identity: String = "",
        restarts: RestartPolicy = .init(), acl: [ACL] = .open
    ) {
        self.path = path
        self.identity = identity
        self.restarts = restarts
        self.acl = acl
        connect = { () async throws(ZooKeeperError) in
            try await ZooKeeperClient.connect(to: servers, options: options)
        }
    }

    /// Runs the service whenever this process is elected, until it returns.
    ///
    /// A service that returns is done, and this call with it; elsewhere the next candidate starts it. One that is
    /// cancelled because its term was lost is started again when this process is elected again. One that throws on its
    /// own account gives up the term, so that others get their chance, and stands as a candidate again after a pause.
    ///
    /// - Throws: what the service has thrown, or why no session could be made, when ``RestartPolicy/attempts`` in a row
    ///   have failed; `CancellationError` when the task was cancelled.
    public func run(_ service: @escaping @Sendable (LeadershipTerm) async throws -> Void) async throws {
        var failures = 0
        while true {
            let start = ContinuousClock.now
            do {
                if try await runOnce(service) { return }
                failures = 0
            } catch {
                try Task.checkCancellation()
                if ContinuousClock.now - start > restarts.longestPause { failures = 0 }
                failures += 1
                guard let pause = restarts.pause(after: failures) else { throw error }
                try await Task.sleep(for: pause, clock: .continuous)
            }
        }
    }

    /// One session: `true` when the service has returned, `false` when the session or the term was lost.
    private func runOnce(_ service: @escaping @Sendable (LeadershipTerm) async throws -> Void) async throws -> Bool {
        let client = try await connect()
        do {
            let isDone = try await lead(client, service)
            await client.close()
            return isDone
        } catch {
            await client.close()
            throw error
        }
    }

    private func lead(
        _ client: ZooKeeperClient, _ service: @escaping @Sendable (LeadershipTerm) async throws -> Void
    ) async throws -> Bool {
        let election = MasterElection(client, at: path, identity: identity, acl: acl)
        while true {
            let term: LeadershipTerm
            do {
                term = try await election.campaign()
            } catch {
                if error.isSessionOver { return false }
                throw error
            }
            do {
                try await term.hold.scope { try await service(term) }
                return true
            } catch {
                // An error of the service while its term is being lost is a consequence of the loss.
                guard term.loss != nil, !Task.isCancelled else { throw error }
            }
        }
    }
}

/// How often and after which pauses something that fails is begun anew.
public struct RestartPolicy: Hashable, Sendable {
    /// How many failures in a row are too many; `nil` for any number.
    public var attempts: Int?
    /// The pause after the first failure; each further one doubles it.
    public var firstPause: Duration
    /// The longest pause. What has run for longer before it failed counts as the first failure.
    public var longestPause: Duration

    /// A policy; without arguments any number of times, after 100 milliseconds up to half a minute.
    public init(
        attempts: Int? = nil, firstPause: Duration = .milliseconds(100), longestPause: Duration = .seconds(30)
    ) {
        self.attempts = attempts
        self.firstPause = firstPause
        self.longestPause = longestPause
    }

    /// The pause after so many failures in a row, 1 or more; `nil` if it was one too many.
    package func pause(after failures: Int) -> Duration? {
        if let attempts, failures >= attempts { return nil }
        var pause = firstPause
        for _ in 1..<max(1, min(failures, 64)) {
            guard pause < longestPause else { break }
            pause *= 2
        }
        return min(pause, longestPause)
    }
}

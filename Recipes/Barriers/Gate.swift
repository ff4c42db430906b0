public import ConclaveClient
public import ConclaveCore

/// A gate that holds up everybody as long as it is closed.
///
/// ```swift
/// let migration = Gate(client, at: "/gates/migration")
/// try await migration.close()
/// …
/// try await migration.pass()                  // in other programs: returns when it is open
/// ```
///
/// - **Guarantee**: `pass` returns after a moment at which the gate was open. One that is closed and opened quickly may
///   let nobody through who was not waiting yet.
/// - **Layout**: the node exists while the gate is closed; as Curator's `DistributedBarrier` and kazoo's `Barrier`.
/// - **Session loss**: waiters throw. The gate stays as it is, unless it was closed for the length of a session.
/// - **Cancellation** and deadlines end waiting; nothing is left behind. Whether a gate was closed or opened by a call that was
///   cancelled is unknown.
/// - **Cost**: 1 request to close, open and pass; a waiter 1 more when it opens. All waiters are told at once.
/// - **Source**: the barrier recipe of ZooKeeper's documentation.
public struct Gate: Sendable {
    private let client: ZooKeeperClient
    private let path: String
    private let acl: [ACL]
    private let cleaner: Cleaner

    /// A gate at a path.
    ///
    /// - Parameters:
    ///   - client: the session that closes, opens and passes.
    ///   - path: the node; for nothing else.
    ///   - acl: the access control list of the nodes that this creates.
    public init(_ client: ZooKeeperClient, at path: String, acl: [ACL] = .open) {
        self.client = client
        self.path = path
        self.acl = acl
        cleaner = Cleaner(client)
    }

    /// Closes the gate; content if it is closed.
    ///
    /// - Parameters:
    ///   - whileSessionLasts: whether it opens when this client's session ends.
    ///   - identity: the node's data, such as who closed it and why.
    public func close(whileSessionLasts: Bool = false, identity: String = "") async throws(ZooKeeperError) {
        try await run(.close(Array(identity.utf8), whileSessionLasts: whileSessionLasts), .never)
    }

    /// Opens the gate for everybody; content if it is open.
    public func open() async throws(ZooKeeperError) { try await run(.open, .never) }

    /// Whether the gate was open when the server looked.
    public func isOpen() async throws(ZooKeeperError) -> Bool { try await client.exists(path) == nil }

    /// Waits until the gate is open. Lost connections are waited out.
    ///
    /// - Throws: `deadlineExceeded`, `cancelled`, `sessionExpired` or what a request threw.
    public func pass(timeout: Duration? = nil) async throws(ZooKeeperError) {
        try await run(.pass, Deadline(after: timeout))
    }

    private func run(_ goal: GateMachine.Goal, _ deadline: Deadline) async throws(ZooKeeperError) {
        try await StepRunner.run(
            GateMachine(path: path, goal: goal, acl: acl), client: client, cleaner: cleaner, path: path, acl: acl,
            deadline: deadline)
    }
}

public import ConclaveClient
public import ConclaveCore

/// A latch that opens once so many have counted it down, and stays open.
///
/// ```swift
/// let loaded = CountDownLatch(client, at: "/latches/loaded", count: 12)
/// try await loaded.countDown(as: "shard-7")                // by name: once, however often it is called
/// try await loaded.wait()                                  // in other programs
/// ```
///
/// - **Guarantee**: `wait` returns after a moment at which so many had counted. A name counts once, also if connections
///   were lost meanwhile; so does a call without a name.
/// - **Layout**: `<path>` says how many must count; a persistent child for each that has. The node is written once, when
///   the latch opens.
/// - **Session loss**: waiters throw; what has been counted stays counted.
/// - **Cancellation** and deadlines end waiting; a count that was being made has an unknown outcome.
/// - **Cost**: 2 requests to count, 1 more for the last; 2 to wait, and 1 in five seconds. One notification for each who
///   waits, when it opens.
/// - **Source**: ZooKeeper's barrier; the name is Java's.
public struct CountDownLatch: Sendable {
    private let client: ZooKeeperClient
    private let path: String
    private let count: Int
    private let acl: [ACL]
    private let cleaner: Cleaner

    /// A latch at a path, which is made when it is first needed.
    ///
    /// - Parameters:
    ///   - client: the session that counts and waits.
    ///   - path: the node; for nothing else.
    ///   - count: how many must count; the same for all.
    ///   - acl: the access control list of the nodes that this creates.
    public init(_ client: ZooKeeperClient, at path: String, count: Int, acl: [ACL] = .open) {
        self.client = client
        self.path = path
        self.count = max(0, count)
        self.acl = acl
        cleaner = Cleaner(client)
    }

    /// Counts down by one.
    ///
    /// - Parameter name: who counts: a name that has counted before counts no more. Without one each call counts.
    /// - Returns: how many are left.
    /// - Throws: `badArguments` if the latch is for another number, or what a request threw.
    @discardableResult
    public func countDown(as name: String? = nil) async throws(ZooKeeperError) -> Int {
        var generator = SystemRandomNumberGenerator()
        return try await run(.countDown(name ?? AttemptID(using: &generator).text), .never)
    }

    /// Waits until the latch is down. Lost connections are waited out.
    public func wait(timeout: Duration? = nil) async throws(ZooKeeperError) {
        _ = try await run(.wait, Deadline(after: timeout))
    }

    /// How many are left to count. One request.
    public func remaining() async throws(ZooKeeperError) -> Int { try await run(.look, .never) }

    private func run(_ goal: LatchMachine.Goal, _ deadline: Deadline) async throws(ZooKeeperError) -> Int {
        try await deadline.limit { (expiry: Expiry) async throws(ZooKeeperError) -> Int in
            let machine = LatchMachine(path: path, count: count, goal: goal, acl: acl)
            var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
            return try await runner.run(expiry: expiry)
        }
    }
}

public import ConclaveClient
public import ConclaveCore

/// A barrier that opens whenever so many have come; then the next round begins.
///
/// ```swift
/// let start = CountBarrier(client, at: "/barriers/start", count: 8)
/// try await start.pass()                                   // returns when eight have come
/// ```
///
/// - **Guarantee**: `pass` returns after a moment at which so many members of its round were there. A member belongs to
///   one round; a round opens once.
/// - **Layout**: `<path>` says how many must come, its version is the round; `<path>/<round>-<id>` ephemeral for each
///   member.
/// - **Broken barriers**: a member that dies, gives up or is cancelled before the round opens simply is not there. With
///   `breaks`, for which all members must ask, it breaks the round, however short its stay: all who wait throw
///   `barrierBroken`. The next round is not affected.
/// - **Cancellation** and deadlines end waiting, the own node goes.
/// - **Session loss**: waiters throw.
/// - **Cost**: 4 requests to come and pass, 1 more in the background; one notification for each member when it opens.
///   With `breaks` 3 more, and for the first member one listing for each that comes.
/// - **Source**: the barrier of ZooKeeper's documentation, with versions for rounds.
public struct CountBarrier: Sendable {
    private let client: ZooKeeperClient
    private let path: String
    private let count: Int?
    private let breaks: Bool
    private let identity: String
    private let acl: [ACL]
    private let cleaner: Cleaner

    /// A barrier at a path, which is made when the first member comes.
    ///
    /// - Parameters:
    ///   - client: the session of the member.
    ///   - path: the node; for nothing else.
    ///   - count: how many must come, at least 1; `nil` if the node exists and says so.
    ///   - breaks: whether a member that goes before all are there breaks the round for the others.
    ///   - identity: the data of the member's node, such as a host name.
    ///   - acl: the access control list of the nodes that this creates.
    public init(
        _ client: ZooKeeperClient, at path: String, count: Int? = nil, breaks: Bool = false, identity: String = "",
        acl: [ACL] = .open
    ) {
        self.client = client
        self.path = path
        self.count = count.map { max(1, $0) }
        self.breaks = breaks
        self.identity = identity
        self.acl = acl
        cleaner = Cleaner(client)
    }

    /// Comes and waits until enough have come.
    ///
    /// - Returns: the number of the round.
    /// - Throws: `barrierBroken`, `deadlineExceeded`, `cancelled`, `sessionExpired` or what a request threw;
    ///   `badArguments` if the barrier is for another number, `noNode` if none was given and there is no barrier.
    @discardableResult
    public func pass(timeout: Duration? = nil) async throws(ZooKeeperError) -> Int32 {
        try await Deadline(after: timeout).limit { (expiry: Expiry) async throws(ZooKeeperError) -> Int32 in
            var generator = SystemRandomNumberGenerator()
            let machine = CountBarrierMachine(
                path: path, id: AttemptID(using: &generator), count: count, identity: Array(identity.utf8),
                breaks: breaks, session: client.sessionID, acl: acl)
            var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
            return try await runner.run(expiry: expiry)
        }
    }

    /// How many wait, and for how many; `nil` if there is no barrier. Two requests.
    public func waiting() async throws(ZooKeeperError) -> (waiting: Int, count: Int)? {
        do {
            let node = try await client.data(at: path)
            let members = try await client.children(of: path).names.filter { $0.hasPrefix("\(node.stat.version)-") }
            return CountBarrierValue(node.bytes).map { (members.count, $0.count) }
        } catch let error where error.code == .noNode {
            return nil
        }
    }

    /// Returns when nothing is left to clean up, or the session is over.
    package func waitUntilClean() async { await cleaner.waitUntilIdle() }
}

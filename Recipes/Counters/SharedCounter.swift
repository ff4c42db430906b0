public import ConclaveClient
public import ConclaveCore

/// A number that all clients of an ensemble see and change.
///
/// ```swift
/// let visits = SharedCounter(client, at: "/counters/visits")
/// let now = try await visits.add(1)
/// ```
///
/// - **Guarantee**: every change is made whole, in one order for all clients. A change is never made twice, also if its
///   answer was lost.
/// - **Layout**: the number is the node's data, 8 bytes big-endian, as Curator's `DistributedAtomicLong` keeps it; no
///   node and no data stand for 0. A counter that somebody else has made with 4 bytes (`DistributedAtomicInteger`,
///   `SharedCount`, kazoo's `Counter` with `support_curator`) keeps them, and its range.
///   ``SequentialIDs/Form/blocks(of:)`` counts in 8 bytes.
/// - **Contention**: a change that somebody overtook is tried again, first at once, then after random waits that
///   double up to 50 ms; the more tasks add at once, the longer each takes.
/// - **Lost connections** are waited out. A write whose answer was lost is made again only if the counter has certainly
///   not been written since; otherwise `connectionLoss` says that the outcome is unknown.
/// - **Cancellation and deadline** end the call; a write under way has an unknown outcome.
/// - **Session loss**: calls throw; nothing is left behind.
/// - **Cost**: 1 request to read, 2 to change; the node is made by the first change.
/// - **Source**: Curator's `DistributedAtomicLong` for the layout.
public struct SharedCounter: Sendable {
    /// What a change has found and left.
    public struct Change: Hashable, Sendable {
        /// What the counter showed before.
        public let before: Int64
        /// What it shows after; the same as before if the comparison failed.
        public let after: Int64
    }

    private let client: ZooKeeperClient
    private let path: String
    private let acl: [ACL]
    private let value: Configuration<Int64>

    /// A counter at a path, which is made by the first change.
    ///
    /// - Parameters:
    ///   - client: the session that counts.
    ///   - path: the node; deleting it sets the counter to 0.
    ///   - acl: the access control list of the nodes that this creates.
    public init(_ client: ZooKeeperClient, at path: String, acl: [ACL] = .open) {
        self.client = client
        self.path = path
        self.acl = acl
        value = Configuration(client, at: path, acl: acl)
    }

    /// Reads the counter; 0 if there is no node.
    ///
    /// The server's view, which may be behind that of others; what ``add(_:timeout:)`` returns is exact.
    ///
    /// - Throws: `dataInconsistency` if the node holds something else; else what the request threw.
    public func get() async throws(ZooKeeperError) -> Int64 {
        let node: NodeData
        do {
            node = try await client.data(at: path)
        } catch let error where error.code == .noNode {
            return 0
        }
        guard let (number, _) = CounterForm.decode(node.bytes) else {
            throw ZooKeeperError(.dataInconsistency, path: path, message: "the node's data is not a counter")
        }
        return number
    }

    /// Adds to the counter; negative amounts subtract.
    ///
    /// - Parameters:
    ///   - amount: what to add.
    ///   - timeout: how long to try at most; `nil` tries until it is done.
    /// - Returns: what the counter showed before and after this very change.
    /// - Throws: `sequenceExhausted` if the result does not fit into the counter, and nothing has changed;
    ///   `dataInconsistency` if the node holds something else; `connectionLoss`, `cancelled` and `deadlineExceeded`,
    ///   after which the outcome is unknown; else what a request threw.
    @discardableResult
    public func add(_ amount: Int64, timeout: Duration? = nil) async throws(ZooKeeperError) -> Change {
        let output = try await run(.add(amount), timeout: timeout)
        return Change(before: output.before, after: output.after)
    }

    /// Replaces the number by another if it is the expected one.
    ///
    /// - Returns: whether it was; if not, nothing has changed.
    /// - Throws: as ``add(_:timeout:)``.
    public func compareAndSet(
        _ expected: Int64, to new: Int64, timeout: Duration? = nil
    ) async throws(ZooKeeperError) -> Bool {
        try await run(.compareAndSet(expected: expected, new: new), timeout: timeout).isWritten
    }

    /// Sets the number, whatever it was; of several who do, the last wins.
    ///
    /// - Throws: as ``add(_:timeout:)``.
    public func set(_ number: Int64, timeout: Duration? = nil) async throws(ZooKeeperError) {
        _ = try await run(.set(number), timeout: timeout)
    }

    /// Follows the number: the current one first, then each newer one as it comes; the latest wins, and those that
    /// were skipped are counted. See ``Configuration/updates``.
    public var updates: Configuration<Int64>.Updates { value.updates }

    private func run(
        _ change: CounterMachine.Change, timeout: Duration?
    ) async throws(ZooKeeperError) -> CounterMachine.Output {
        try await Deadline(after: timeout).limit { (expiry: Expiry) async throws(ZooKeeperError) in
            var generator = SystemRandomNumberGenerator()
            let machine = CounterMachine(change, at: path, acl: acl, seed: generator.next())
            var runner = StepRunner(machine, client: client, cleaner: Cleaner(client), path: path, acl: acl)
            return try await runner.run(expiry: expiry)
        }
    }
}

extension Int64: ConfigurationValue {
    /// Reads 8 bytes big-endian, as Curator's `DistributedAtomicLong` writes them, or 4; no bytes stand for 0.
    public init(configurationBytes bytes: [UInt8]) throws {
        guard let (number, _) = CounterForm.decode(bytes) else { throw InvalidConfiguration("neither 8 bytes nor 4") }
        self = number
    }

    /// 8 bytes big-endian.
    public func configurationBytes() throws -> [UInt8] { CounterBlock.encode(self) }
}

extension Int32: ConfigurationValue {
    /// Reads 4 bytes big-endian, as Curator's `SharedCount` and `DistributedAtomicInteger` write them; no bytes stand
    /// for 0.
    public init(configurationBytes bytes: [UInt8]) throws {
        guard bytes.isEmpty || bytes.count == 4 else { throw InvalidConfiguration("not 4 bytes") }
        self = Int32(bitPattern: bytes.reduce(0) { $0 << 8 | UInt32($1) })
    }

    /// 4 bytes big-endian.
    public func configurationBytes() throws -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: self >> Int32(24 - 8 * $0)) }
    }
}

public import ConclaveClient
public import ConclaveCore

/// Gives each of at most `count` workers a small number of its own: the lowest that is free.
///
/// ```swift
/// let slots = WorkerSlots(client, at: "/workers/numbers", count: 1_024, identity: "host-7")
/// try await slots.withSlot { slot in
///     try await serve(idsWith: slot.number)            // the worker part of snowflake-like ids
/// }
/// ```
///
/// - **Guarantee**: a number is held by one worker at a time, like a lock (S1–S9): the body is cancelled when the hold
///   ends early, and tokens grow from holder to holder.
/// - **Layout**: `<path>/slots/<number>_<uuid>`, ephemeral, the identity as data; taken in one transaction that writes
///   `slots` under the version of the listing. Who waits queues in `<path>/queue` as in a ``DistributedLock``.
/// - **Order**: who waits gets a number in turn; a newcomer that finds one free may take it first.
/// - **No herd**: a number that becomes free wakes one waiter.
/// - **Cancellation and deadline** end the wait; nothing stays behind (S7).
/// - **Session loss**: waiters throw, holders are told `lost`, the number is free for others. Ids that were made with
///   it must not repeat: wait out the clock or use ``WorkerSlot/token``.
/// - **Cost**: 2 requests to take a number and 1 to give it up; a waiter 5 more.
/// - **Source**: worker numbers of snowflake ids; the versioned listing is our own.
public struct WorkerSlots: Sendable {
    /// A worker that holds a number.
    public struct Holder: Hashable, Sendable {
        /// The number.
        public let number: Int
        /// What it says of itself.
        public let identity: String
        /// Its session.
        public let session: SessionID
        /// Since when, in milliseconds since 1970 by the leader's clock.
        public let sinceMilliseconds: Int64
        /// The number that grows from holder to holder.
        public let token: FencingToken
    }

    private let client: ZooKeeperClient
    private let path: String
    private let count: Int
    private let identity: String
    private let acl: [ACL]
    private let cleaner: Cleaner
    private let queue: DistributedLock

    /// Numbers from 0 to `count` − 1 at a path, which is made when it is first needed.
    ///
    /// - Parameters:
    ///   - client: the session that holds.
    ///   - path: for nothing else.
    ///   - count: how many numbers there are, at least 1; clients may differ, each takes only numbers below its own.
    ///   - identity: what others see in ``holders()``, such as a host name.
    ///   - acl: the access control list of the nodes that this creates.
    public init(
        _ client: ZooKeeperClient, at path: String, count: Int, identity: String = "", acl: [ACL] = .open
    ) {
        self.client = client
        self.path = path
        self.count = count
        self.identity = identity
        self.acl = acl
        cleaner = Cleaner(client)
        queue = DistributedLock(
            client, at: NodePath.text(of: "queue", below: path), identity: identity, acl: acl)
    }

    private var slotsPath: String { NodePath.text(of: "slots", below: path) }

    /// Waits for a number, runs the body, gives the number back.
    ///
    /// The body is cancelled when the hold is lost; see ``DistributedLock/withLock(timeout:_:)``.
    public func withSlot<R: Sendable>(
        timeout: Duration? = nil, _ body: @escaping @Sendable (WorkerSlot) async throws -> R
    ) async throws -> R {
        let slot = try await acquire(timeout: timeout)
        return try await slot.hold.scope { try await body(slot) }
    }

    /// Waits for a number.
    ///
    /// - Parameter timeout: how long to wait at most; `nil` waits for ever, zero only tries.
    /// - Throws: `deadlineExceeded`, `cancelled`, `sessionExpired`, or what a request threw.
    public func acquire(timeout: Duration? = nil) async throws(ZooKeeperError) -> WorkerSlot {
        let end = timeout.map { ContinuousClock.now.advanced(by: $0) }
        if let slot = try await take(.once, .init(instant: timeout == .zero ? nil : end)) { return slot }
        if let timeout, timeout <= .zero { throw ZooKeeperError(.deadlineExceeded, path: path) }
        // One waiter at a time watches the numbers, so that one that becomes free wakes nobody else.
        let turn =
            if let end { try await queue.acquire(until: end) } else { try await queue.acquire() }
        do {
            guard let slot = try await take(.wait, .init(instant: end)) else {
                preconditionFailure("an attempt that waits ended without a number and without an error")
            }
            await turn.release()
            return slot
        } catch {
            await turn.release()
            throw error
        }
    }

    /// Takes a number if one is free and leaves nothing behind if none is: then it returns `nil`.
    public func tryAcquire() async throws(ZooKeeperError) -> WorkerSlot? { try await take(.once, .never) }

    /// Who holds which number, in the order of the numbers.
    ///
    /// - Cost: one request, and one for each hundred holders.
    public func holders() async throws(ZooKeeperError) -> [Holder] {
        let names: [String]
        do {
            names = try await client.children(of: slotsPath).names
        } catch let error where error.code == .noNode {
            return []
        }
        let nodes = try await client.dataOfMany(names.map { NodePath.text(of: $0, below: slotsPath) })
        let holders = zip(names, nodes).compactMap { name, node -> Holder? in
            guard let node, let number = WorkerSlotMachine.number(of: name) else { return nil }
            return Holder(
                number: number, identity: String(decoding: node.bytes, as: UTF8.self),
                session: node.stat.ephemeralOwner, sinceMilliseconds: node.stat.ctime,
                token: FencingToken(node.stat.czxid))
        }
        return holders.sorted { $0.number < $1.number }
    }

    /// Returns when every node given up so far has been removed, or the session is over.
    package func waitUntilClean() async {
        await cleaner.waitUntilIdle()
        await queue.waitUntilClean()
    }

    private func take(_ patience: AttemptPatience, _ deadline: Deadline) async throws(ZooKeeperError) -> WorkerSlot? {
        guard count > 0 else {
            throw ZooKeeperError(.badArguments, path: path, message: "there must be at least one number")
        }
        let slotsPath = slotsPath
        let slot = try await deadline.limit { (expiry: Expiry) async throws(ZooKeeperError) in
            var generator = SystemRandomNumberGenerator()
            let machine = WorkerSlotMachine(
                at: slotsPath, count: count, attempt: AttemptID(using: &generator), session: client.sessionID,
                identity: Array(identity.utf8), acl: acl, patience: patience)
            var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
            return try await runner.run(expiry: expiry)
        }
        guard let slot else { return nil }
        // Shared with the holders of the other numbers: they exclude nobody but who wants the same one.
        let hold = Hold(
            client: client, cleaner: cleaner, parent: slotsPath, path: NodePath.text(of: slot.name, below: slotsPath),
            token: FencingToken(slot.czxid), isShared: true, removal: .byName)
        hold.begin(ownWatch: nil)
        return WorkerSlot(number: slot.number, hold)
    }
}

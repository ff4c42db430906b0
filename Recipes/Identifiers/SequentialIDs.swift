public import ConclaveClient
public import ConclaveCore
import Synchronization

/// Draws numbers that no other client of the ensemble gets.
///
/// ```swift
/// let number = try await SequentialIDs(client, at: "/ids/orders").next()
/// ```
///
/// - **Guarantee**: no number is given out twice, by whatever client; those of one object grow strictly. In the form
///   ``Form/sequentialNodes`` a number drawn after another was returned is greater, across all clients; in blocks only
///   within one object, because others may be using up older blocks.
/// - **Gaps** appear when a block is not used up, a connection is lost or a task is cancelled in between.
/// - **Cancellation**: the number that was being drawn is lost.
/// - **Session loss**: `next()` throws; nothing is left behind.
/// - **Limits**: 2³¹ numbers from sequential nodes, 2⁶³ in blocks.
/// - **Cost**: sequential nodes 1 request and 1 more in the background to delete; blocks 2 requests for each block.
/// - **Source**: ZooKeeper's sequential nodes; Curator's `DistributedAtomicLong` for the counter's layout.
public final class SequentialIDs: Sendable {
    /// Where numbers come from.
    public enum Form: Hashable, Sendable {
        /// The counter that the server keeps for the node's children: persistent sequential nodes.
        ///
        /// Nodes are deleted after their number has been read, unless they are to be kept as a record, when they are
        /// named `<path>/id-<number>` and one whose number nobody has read may be among them.
        case sequentialNodes(kept: Bool = false)
        /// A counter in the node's data, advanced by compare-and-set in blocks of this size, at least 1.
        case blocks(of: Int)
    }

    /// How many nodes may await their deletion before `next()` waits too.
    static let pendingDeletionLimit = 256

    private let client: ZooKeeperClient
    private let path: String
    private let form: Form
    private let acl: [ACL]
    private let contenders: Contenders
    private let state = Mutex(State())

    private struct State {
        var block: CounterBlock?
        /// Takes the next block, while one is being taken.
        var refill: Task<Void, any Error>?
        /// The `czxid` of the counter: if the node was made anew it counts from zero again and must not be trusted.
        var counterCreated: Zxid?
        var last: Int64 = -1
    }

    /// Numbers drawn at a path, which is made when the first is drawn.
    ///
    /// - Parameters:
    ///   - client: the session that draws.
    ///   - path: the node that counts; deleting it starts the numbers anew.
    ///   - form: where numbers come from; all clients of one path must use the same form.
    ///   - acl: the access control list of the nodes that this creates.
    public init(
        _ client: ZooKeeperClient, at path: String, form: Form = .sequentialNodes(), acl: [ACL] = .open
    ) {
        self.client = client
        self.path = path
        self.form = form
        self.acl = acl
        contenders = Contenders(client, at: path, identity: "", acl: acl)
    }

    /// Draws a number: 0 or greater.
    ///
    /// - Throws: `dataInconsistency` if the counter is damaged or was made anew since this object drew its last number;
    ///   `sequenceExhausted` when numbers are used up; else what a request threw. After a lost connection a number may
    ///   have been used up, never given out twice.
    public func next() async throws(ZooKeeperError) -> Int64 {
        switch form {
        case .sequentialNodes(let kept): try await drawFromNodes(kept: kept)
        case .blocks(let size): try await drawFromBlock(size: size)
        }
    }

    /// Returns when every node whose number was read has been deleted, or the session is over.
    package func waitUntilClean() async { await contenders.cleaner.waitUntilIdle() }

    // MARK: - Sequential nodes

    private func drawFromNodes(kept: Bool) async throws(ZooKeeperError) -> Int64 {
        var generator = SystemRandomNumberGenerator()
        let attempt = AttemptID(using: &generator)
        let name = contenders.node(kept ? "id-" : "_c_\(attempt.text)-id-")
        let node: CreatedNode
        do {
            node = try await create(name)
        } catch {
            if !kept, error.isOutcomeUnknown {
                let contenders = contenders
                contenders.cleaner.start { _ throws(ZooKeeperError) in try await contenders.sweep(attempt) }
            }
            throw error
        }
        if !kept { await delete(node.path) }
        let made = String(decoding: NodePath(node.path).name, as: UTF8.self)
        guard let number = ContenderName(made)?.sequence else {
            throw ZooKeeperError(.protocolViolation, path: node.path, message: "the server appended no number")
        }
        guard number >= 0 else { throw ZooKeeperError(.sequenceExhausted, path: path) }
        return Int64(number)
    }

    private func create(_ name: String) async throws(ZooKeeperError) -> CreatedNode {
        do {
            return try await client.create(name, [], mode: .persistentSequential, acl: acl)
        } catch let error where error.code == .noNode {
            // Persistent, not a container: the server would remove it when it is empty, and numbers would start anew.
            try await Parents.make(path, with: client, mode: .persistent, acl: acl)
            return try await client.create(name, [], mode: .persistentSequential, acl: acl)
        }
    }

    /// Deletes in the background; beyond the limit the caller waits, so that deletions keep up with numbers.
    private func delete(_ node: String) async {
        let deletion = contenders.cleaner.start { client throws(ZooKeeperError) in
            try await client.deleteIfPresent(node)
        }
        if contenders.cleaner.runningCount >= Self.pendingDeletionLimit { await deletion.value }
    }

    // MARK: - Blocks

    private func drawFromBlock(size: Int) async throws(ZooKeeperError) -> Int64 {
        guard size > 0 else {
            throw ZooKeeperError(.badArguments, path: path, message: "a block holds at least one number")
        }
        while true {
            let (number, isGrowing) = state.withLock { state -> (Int64?, Bool) in
                guard let number = state.block?.draw() else { return (nil, true) }
                defer { state.last = max(state.last, number) }
                return (number, number > state.last)
            }
            guard isGrowing else { throw restarted() }
            if let number { return number }
            try await takeBlock(size: size)
        }
    }

    /// Takes the next block, once for all who wait: they share the request, so the cancellation of one does not stop
    /// it.
    private func takeBlock(size: Int) async throws(ZooKeeperError) {
        let task = state.withLock { state -> Task<Void, any Error>? in
            if let refill = state.refill { return refill }
            // Another caller's request came to its end between this caller's look and here.
            if state.block?.isEmpty == false { return nil }
            let refill = Task.detached { [self] in
                defer { self.state.withLock { $0.refill = nil } }
                let known = self.state.withLock { $0.counterCreated }
                let (taken, created) = try await advance(by: size, known: known)
                self.state.withLock { state in
                    state.counterCreated = created
                    state.block = taken
                }
            }
            state.refill = refill
            return refill
        }
        do {
            try await task?.value
        } catch let error as ZooKeeperError {
            throw error
        } catch {
            throw ZooKeeperError(.systemError, path: path, underlying: error)
        }
    }

    /// Moves the counter on by compare-and-set, again and again until nobody else did in between.
    private func advance(
        by size: Int, known: Zxid?
    ) async throws(ZooKeeperError) -> (block: CounterBlock, counterCreated: Zxid) {
        while true {
            let node: NodeData
            do {
                node = try await client.data(at: path)
            } catch let error where error.code == .noNode {
                guard known == nil else { throw restarted() }
                try await makeCounter()
                continue
            }
            if let known, known != node.stat.czxid { throw restarted() }
            guard let counter = CounterBlock.decode(node.bytes), counter >= 0 else {
                throw ZooKeeperError(.dataInconsistency, path: path, message: "the node's data is not a counter")
            }
            guard let taken = CounterBlock(from: counter, size: size) else {
                throw ZooKeeperError(.sequenceExhausted, path: path)
            }
            do {
                let bytes = CounterBlock.encode(taken.counterAfter)
                try await client.setData(at: path, to: bytes, version: node.stat.version)
            } catch let error where error.code == .badVersion {
                // Somebody else took this block.
                continue
            }
            return (taken, node.stat.czxid)
        }
    }

    private func makeCounter() async throws(ZooKeeperError) {
        if let parent = NodePath(path).parent, parent != .root {
            try await Parents.make(parent.text, with: client, mode: .persistent, acl: acl)
        }
        do {
            try await client.create(path, CounterBlock.encode(0), acl: acl)
        } catch let error where error.code == .nodeExists {
            // Another client was first.
        }
    }

    private func restarted() -> ZooKeeperError {
        ZooKeeperError(
            .dataInconsistency, path: path, message: "the counter was made anew; its numbers have been given out before"
        )
    }
}

import ConclaveClient
public import ConclaveCore
import Synchronization

/// The own membership of a group: what ``Group/join(as:payload:timeout:)`` gives.
///
/// It ends once: by ``leave()``, by loss, or when the last reference to it goes, which leaves in the background. While
/// it lasts, a node that somebody removes is made again.
public final class Membership: Sendable {
    let keeper: MembershipKeeper

    init(_ keeper: MembershipKeeper) { self.keeper = keeper }

    deinit { keeper.abandon() }

    /// The name of the node.
    public var name: String { keeper.name }

    /// The path of the node, as the client that joined sees it.
    public var path: String { keeper.path }

    /// The session that the node belongs to.
    public var session: SessionID { keeper.client.sessionID }

    /// The payload that was given last.
    public var payload: [UInt8] { keeper.payload }

    /// Whether it has neither been left nor lost.
    public var isMember: Bool { keeper.ending.value == nil }

    /// Why it was lost; `nil` while it lasts and after leaving.
    public var loss: HoldLoss? { keeper.loss }

    /// Waits for the end: the reason of a loss, or `nil` after leaving. Throws if the waiting task is cancelled.
    public func lost() async throws(CancellationError) -> HoldLoss? {
        switch try await keeper.ending.wait() {
        case .released: nil
        case .lost(let loss): loss
        }
    }

    /// Replaces the payload, which everybody who follows the group is told of.
    ///
    /// - Throws: `holdLost` if the membership has ended. After a lost connection the outcome is unknown; the node has
    ///   the new payload at the latest when it has to be made again.
    /// - Cost: one request.
    public func update(_ payload: [UInt8]) async throws(ZooKeeperError) { try await keeper.write(payload) }

    /// Says that this member is well: writes the payload once more, so that the node's version and time move on.
    ///
    /// Followers of the group read the node again and find nothing new; see ``HeartbeatMonitor``.
    ///
    /// - Cost: one request.
    public func beat() async throws(ZooKeeperError) { try await keeper.write(nil) }

    /// Leaves the group. Returns when the node has gone, or goes by itself with the session.
    ///
    /// - Cost: three requests: the node is removed only if it is this session's own.
    public func leave() async { await keeper.leave() }
}

/// Keeps the node of a member in its place until the membership ends.
final class MembershipKeeper: Sendable {
    let client: ZooKeeperClient
    let cleaner: Cleaner
    let parent: String
    let name: String
    let path: String
    let acl: [ACL]
    let ending = Signal<Hold.Ending>()
    private struct State {
        var payload: [UInt8]
        /// The transaction that made the present node.
        var incarnation: Zxid?
        var task: Task<Void, Never>?
    }

    private let state: Mutex<State>

    init(
        client: ZooKeeperClient, cleaner: Cleaner, parent: String, name: String, acl: [ACL], payload: [UInt8]
    ) {
        self.client = client
        self.cleaner = cleaner
        self.parent = parent
        self.name = name
        self.acl = acl
        path = NodePath.text(of: name, below: parent)
        state = Mutex(State(payload: payload))
    }

    var payload: [UInt8] { state.withLock { $0.payload } }

    var loss: HoldLoss? {
        guard case .lost(let loss) = ending.value else { return nil }
        return loss
    }

    /// Starts to look after the node that this transaction has made. Detached: the caller's cancellation ends nothing.
    func begin(_ incarnation: Zxid) {
        state.withLock { $0.incarnation = incarnation }
        let task = Task.detached { [self] in await keep() }
        state.withLock { $0.task = task }
        if ending.value != nil { task.cancel() }
    }

    private var incarnation: Zxid? { state.withLock { $0.incarnation } }

    private func keep() async {
        while ending.value == nil, let incarnation {
            do throws(ZooKeeperError) {
                var presence = StepRunner(
                    PresenceMachine(path: path, incarnation: incarnation), client: client, cleaner: cleaner, path: path)
                try await presence.run(expiry: Expiry())
                let join = JoinMachine(
                    parent: parent, name: name, data: payload, acl: acl, session: client.sessionID, patience: .once,
                    after: client.lastZxidSeen)
                var runner = StepRunner(join, client: client, cleaner: cleaner, path: parent, acl: acl)
                let next = try await runner.run(expiry: Expiry())
                state.withLock { $0.incarnation = next }
                // Left in the meantime: what has just been made goes again.
                if ending.value != nil { cleaner.disown(path, incarnation: next) }
            } catch {
                if error.code.endsSession { return end(.sessionOver) }
                if error.code == .cancelled { return }
                // The name is another session's now, or the node can not be made.
                guard error.code.isWorthReconnecting else { return end(.nodeRemoved) }
                guard await client.isConnectedAgain() else {
                    if !Task.isCancelled { end(.sessionOver) }
                    return
                }
            }
        }
    }

    private func end(_ loss: HoldLoss) { finish(.lost(loss)) }

    /// Ends it, unless it has ended already; the node stays where it is.
    @discardableResult
    func finish(_ how: Hold.Ending) -> Bool {
        guard ending.fire(how) else { return false }
        MembershipRegistry.shared.remove(path, of: client)
        state.withLock { $0.task }?.cancel()
        return true
    }

    /// Writes a new payload, or the present one again.
    func write(_ new: [UInt8]?) async throws(ZooKeeperError) {
        guard ending.value == nil else { throw lostError() }
        let bytes = state.withLock { state in
            if let new { state.payload = new }
            return state.payload
        }
        do {
            try await client.setData(at: path, to: bytes)
        } catch {
            // Without a node the keeper makes it again, with the new payload.
            if error.code == .noNode { return }
            guard error.code.endsSession else { throw error }
            end(.sessionOver)
            throw lostError(underlying: error)
        }
    }

    func leave() async {
        guard finish(.released) else { return }
        await cleaner.disown(path, incarnation: incarnation).value
    }

    func abandon() {
        guard finish(.released) else { return }
        cleaner.disown(path, incarnation: incarnation)
    }

    func lostError(underlying: (any Error)? = nil) -> ZooKeeperError {
        let reason = loss?.description ?? "it had been left"
        return ZooKeeperError(
            .holdLost, path: path, message: "the membership has ended: \(reason)", underlying: underlying)
    }
}

/// The names under which the clients of this process are members or about to be: no client is twice under one.
///
/// So a node of the own session at a path is either what this attempt has made, or what an earlier one leaves behind.
final class MembershipRegistry: Sendable {
    static let shared = MembershipRegistry()

    private struct Key: Hashable {
        let client: ObjectIdentifier
        let path: String
    }

    private let taken = Mutex<Set<Key>>([])

    /// Whether the name was free; then it is taken.
    func insert(_ path: String, of client: ZooKeeperClient) -> Bool {
        taken.withLock { $0.insert(Key(client: ObjectIdentifier(client), path: path)).inserted }
    }

    func remove(_ path: String, of client: ZooKeeperClient) {
        _ = taken.withLock { $0.remove(Key(client: ObjectIdentifier(client), path: path)) }
    }
}

import ConclaveClient
import ConclaveCore
import Synchronization

/// Something held: the common part of lock grants and terms of leadership.
///
/// It ends once, by release or by loss (S9), and then stays ended. Loss is noticed in three ways: the client's hold
/// window lapses, the session ends, or the node that stands for the hold is removed by somebody.
final class Hold: Sendable {
    /// How it ended.
    enum Ending: Hashable, Sendable {
        case released
        case lost(HoldLoss)
    }

    /// How the node is removed when the hold is given up.
    enum Removal: Hashable, Sendable {
        /// Its name is used only once, so the name is enough.
        case byName
        /// Its name is shared by all holders: only while the parent has this version.
        case underVersion(Int32)
    }

    let client: ZooKeeperClient
    let cleaner: Cleaner
    /// The nodes that stand for the hold: it lasts while all of them exist.
    let nodes: [HeldNode]
    let token: FencingToken
    let session: SessionID
    let removal: Removal
    /// A node that says that the hold lasts; it goes with a release and stays behind after a loss.
    let marker: String?
    let ending = Signal<Ending>()
    private let monitors = Mutex<[Task<Void, Never>]>([])
    private let scopes = Mutex(Scopes())
    /// Whether a shared hold has become an exclusive one.
    private let isUpgraded = Atomic(false)
    /// While another node takes over, the removal of the own node is no loss.
    private let isBeingReplaced = Atomic(false)

    /// How long the own node goes unwatched: shorter holds cost no request for the watch.
    static let unwatchedTime = Duration.milliseconds(20)

    /// - Parameter nodes: at least one.
    init(
        client: ZooKeeperClient, cleaner: Cleaner, nodes: [HeldNode], token: FencingToken, removal: Removal,
        marker: String? = nil
    ) {
        self.client = client
        self.cleaner = cleaner
        self.nodes = nodes
        self.token = token
        session = client.sessionID
        self.removal = removal
        self.marker = marker
    }

    convenience init(
        client: ZooKeeperClient, cleaner: Cleaner, parent: String, path: String, token: FencingToken, isShared: Bool,
        removal: Removal, marker: String? = nil
    ) {
        let node = HeldNode(parent: parent, path: path, isShared: isShared)
        self.init(client: client, cleaner: cleaner, nodes: [node], token: token, removal: removal, marker: marker)
    }

    /// The path of the recipe; where several are held together, of the first.
    var parent: String { nodes[0].parent }

    /// The path of the node that stands for the hold, or of the first of them.
    var path: String { nodes[0].path }

    /// Whether others may hold too.
    var isShared: Bool { nodes.allSatisfy(shares) }

    /// Whether others may hold where this node is.
    func shares(_ node: HeldNode) -> Bool { node.isShared && !isUpgraded.load(ordering: .acquiring) }

    /// A shared hold before which nobody is left holds exclusively from now on.
    func becomeExclusive() {
        isUpgraded.store(true, ordering: .releasing)
        HoldRegistry.shared.tellOvertaken(by: self)
    }

    /// Whether nobody else can hold now, as far as this side can know: not ended, and within the hold window.
    var isHeld: Bool { ending.value == nil && client.isHolding }

    /// Whether it has neither been given up nor lost.
    var isLive: Bool { ending.value == nil }

    /// Whether it has been given up.
    var wasReleased: Bool { ending.value == .released }

    /// Why it was lost; `nil` while it is held and after a release.
    var loss: HoldLoss? {
        guard case .lost(let loss) = ending.value else { return nil }
        return loss
    }

    /// Waits for the end; `nil` stands for a release.
    func waitForLoss() async throws(CancellationError) -> HoldLoss? {
        switch try await ending.wait() {
        case .released: nil
        case .lost(let loss): loss
        }
    }

    // MARK: - Beginning

    /// Starts to look out for the end. Detached, so that nothing of the caller's task reaches the look-out.
    func begin(ownWatch: Watch?) {
        HoldRegistry.shared.insert(self)
        let window = Task.detached { [self] in
            switch try? await client.holdEnd() {
            case .lapsed: lose(.windowLapsed)
            case .sessionOver: lose(.sessionOver)
            case nil: break
            }
        }
        let others = nodes.dropFirst().map { node in
            Task.detached { [self] in await watchOwnNode(node.path, nil) }
        }
        let first = Task.detached { [self] in await watchOwnNode(path, ownWatch) }
        monitors.withLock { $0 = [window, first] + others }
        // The end may have come before the tasks were in the list.
        if !isLive { stopMonitors() }
    }

    private func watchOwnNode(_ path: String, _ armed: Watch?) async {
        var watch = armed
        // Throws only when cancelled, because the hold has ended.
        if watch == nil, (try? await Task.sleep(for: Self.unwatchedTime, clock: .continuous)) == nil { return }
        while isLive {
            do throws(ZooKeeperError) {
                if let watch, try await watch.fired().kind == .deleted { return nodeIsGone() }
                guard isLive else { return }
                let (stat, change) = try await client.watchExists(path)
                guard let stat else { return nodeIsGone() }
                if case .underVersion = removal, FencingToken(stat.czxid) != token { return nodeIsGone() }
                watch = change
            } catch {
                watch = nil
                // Else cancelled because the hold ended, or the session is over, which the other look-out tells.
                guard error.code.isWorthReconnecting, await client.isConnectedAgain() else { return }
            }
        }
    }

    private func stopMonitors() {
        for task in monitors.withLock({ $0 }) { task.cancel() }
    }

    // MARK: - Ending

    /// Ends it as lost, unless it has ended already.
    func lose(_ loss: HoldLoss) {
        // Overtaken by whom it is just handing over to: that is no loss.
        let isHandedOver = loss == .nodeRemoved && isBeingReplaced.load(ordering: .acquiring)
        guard ending.fire(isHandedOver ? .released : .lost(loss)) else { return }
        HoldRegistry.shared.remove(self)
        stopMonitors()
        // The session may live on: without this its nodes would stand in everybody's way.
        if loss == .windowLapsed || loss == .nodeRemoved && nodes.count > 1 { cleaner.start(removeNodes) }
    }

    /// Gives it up and removes the node; one request. Returns when the server has answered, or when the connection is
    /// lost or the task cancelled, in which cases the removal goes on by itself.
    func release() async {
        guard ending.fire(.released) else { return }
        HoldRegistry.shared.remove(self)
        if Task.isCancelled {
            await cleaner.start(remove).value
        } else {
            do {
                try await remove(client)
            } catch {
                if error.code.isWorthReconnecting || error.code == .cancelled { cleaner.start(remove) }
            }
        }
        stopMonitors()
    }

    /// Gives it up and has other work remove the node, along with what belongs to it. Work whose outcome is not known
    /// is repeated in the background until it is.
    ///
    /// - Throws: `holdLost` if it had ended before; what the work throws, in which case nothing has been removed.
    func release(
        by work: @escaping @Sendable (ZooKeeperClient) async throws(ZooKeeperError) -> Void
    ) async throws(ZooKeeperError) {
        guard ending.fire(.released) else { throw lostError() }
        HoldRegistry.shared.remove(self)
        stopMonitors()
        do {
            try await work(client)
        } catch {
            guard error.code.isWorthReconnecting || error.code == .cancelled else { throw error }
            cleaner.start(work)
        }
    }

    /// Gives it up without waiting: for handles that are dropped.
    func abandon() {
        guard isLast(ownerLeaves: true), ending.fire(.released) else { return }
        HoldRegistry.shared.remove(self)
        stopMonitors()
        cleaner.start(remove)
    }

    private func nodeIsGone() {
        if !isBeingReplaced.load(ordering: .acquiring) { lose(.nodeRemoved) }
    }

    /// Runs something after which another node may stand in the place of the own one; `true` if it does: then the hold
    /// has been given up.
    ///
    /// If it certainly does not, the hold goes on; if the outcome is unknown it is given up, for either node may stand.
    func replace<Failure: Error>(
        isUnknown: (Failure) -> Bool, _ body: () async throws(Failure) -> Bool
    ) async throws(Failure) {
        isBeingReplaced.store(true, ordering: .releasing)
        let isReplaced: Bool
        do {
            isReplaced = try await body()
        } catch {
            if isUnknown(error) { abandon() }
            lookAgain()
            throw error
        }
        guard isReplaced else { return lookAgain() }
        guard ending.fire(.released) else { return }
        HoldRegistry.shared.remove(self)
        stopMonitors()
    }

    /// The look-out may have kept silent about a removal.
    private func lookAgain() {
        isBeingReplaced.store(false, ordering: .releasing)
        let node = Task.detached { [self] in await watchOwnNode(path, nil) }
        monitors.withLock { $0.append(node) }
        if !isLive { stopMonitors() }
    }

    /// As a release does: the marker goes in the same transaction.
    @Sendable
    private func remove(_ client: ZooKeeperClient) async throws(ZooKeeperError) {
        guard let marker else { return try await removeNodes(client) }
        do {
            try await client.transaction((nodes.map(\.path) + [marker]).map { .delete($0) })
        } catch let error where error.code == .noNode {
            try await client.deleteIfPresent(marker)
            try await removeNodes(client)
        }
    }

    @Sendable
    private func removeNodes(_ client: ZooKeeperClient) async throws(ZooKeeperError) {
        do {
            switch removal {
            case .byName where nodes.count > 1:
                try await removeAll(client)
            case .byName:
                try await client.delete(path)
            case .underVersion(let version):
                try await client.transaction([
                    .check(parent, version: version), .delete(path, version: nil),
                ])
            }
        } catch let error where error.code == .noNode || error.code == .badVersion {
            // It is gone already, or belongs to a later holder.
        }
    }

    /// All at once, so that nobody sees a part of them free; one by one if somebody has removed one.
    private func removeAll(_ client: ZooKeeperClient) async throws(ZooKeeperError) {
        do {
            try await client.transaction(nodes.map { .delete($0.path, version: nil) })
        } catch let error where error.code == .noNode {
            for node in nodes { try await client.deleteIfPresent(node.path) }
        }
    }

    // MARK: - Fencing

    /// Sends operations that take effect only while the hold lives, in one transaction (S3).
    func guarded(_ operations: [Operation]) async throws(ZooKeeperError) -> [OperationResult] {
        guard isLive else { throw lostError() }
        var guards: [Operation] = nodes.map { .check($0.path, version: nil) }
        if case .underVersion(let version) = removal { guards.append(.check(parent, version: version)) }
        do {
            return Array(try await client.transaction(guards + operations).dropFirst(guards.count))
        } catch {
            let nodeIsGone = error.code == .noNode && nodes.contains { $0.path == error.path }
            let isOvertaken = error.code == .badVersion && error.path == parent && guards.count > nodes.count
            guard nodeIsGone || isOvertaken else { throw error }
            lose(.nodeRemoved)
            throw lostError()
        }
    }

    /// What is thrown when the hold was needed and has ended.
    func lostError(underlying: (any Error)? = nil) -> ZooKeeperError {
        let reason = loss?.description ?? "it had been released"
        return ZooKeeperError(.holdLost, path: path, message: "the hold has ended: \(reason)", underlying: underlying)
    }

    // MARK: - Counting scopes

    private struct Scopes {
        var nested = 0
        var isOwnerGone = false
        var isOver: Bool { isOwnerGone && nested == 0 }
    }

    /// Counts one more scope on it; `false` if it has ended or is about to.
    func join() -> Bool {
        scopes.withLock { scopes in
            guard isLive, !scopes.isOver else { return false }
            scopes.nested += 1
            return true
        }
    }

    /// A scope has ended: the last one gives the hold up.
    func leave(isOwner: Bool) async {
        if isLast(ownerLeaves: isOwner) { await release() }
    }

    private func isLast(ownerLeaves: Bool) -> Bool {
        scopes.withLock { scopes in
            if ownerLeaves { scopes.isOwnerGone = true } else { scopes.nested -= 1 }
            return scopes.isOver
        }
    }
}

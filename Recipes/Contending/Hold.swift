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
    private let removal: Removal
    private let ending = Signal<Ending>()
    private let monitors = Mutex<[Task<Void, Never>]>([])
    /// While another node takes over, the removal of the own node is no loss.
    private let isBeingReplaced = Atomic(false)

    /// How long the own node goes unwatched: shorter holds cost no request for the watch.
    static let unwatchedTime = Duration.milliseconds(20)

    /// - Parameter nodes: at least one.
    init(client: ZooKeeperClient, cleaner: Cleaner, nodes: [HeldNode], token: FencingToken, removal: Removal) {
        self.client = client
        self.cleaner = cleaner
        self.nodes = nodes
        self.token = token
        session = client.sessionID
        self.removal = removal
    }

    convenience init(
        client: ZooKeeperClient, cleaner: Cleaner, parent: String, path: String, token: FencingToken, isShared: Bool,
        removal: Removal
    ) {
        let node = HeldNode(parent: parent, path: path, isShared: isShared)
        self.init(client: client, cleaner: cleaner, nodes: [node], token: token, removal: removal)
    }

    /// The path of the recipe; where several are held together, of the first.
    var parent: String { nodes[0].parent }

    /// The path of the node that stands for the hold, or of the first of them.
    var path: String { nodes[0].path }

    /// Whether others may hold too.
    var isShared: Bool { nodes.allSatisfy(\.isShared) }

    /// Whether nobody else can hold now, as far as this side can know: not ended, and within the hold window.
    var isHeld: Bool { ending.value == nil && client.isHolding }

    /// Whether it has neither been given up nor lost.
    var isLive: Bool { ending.value == nil }

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
        guard ending.fire(.lost(loss)) else { return }
        HoldRegistry.shared.remove(self)
        stopMonitors()
        // The session may live on: without this its nodes would stand in everybody's way.
        if loss == .windowLapsed || loss == .nodeRemoved && nodes.count > 1 { cleaner.start(remove) }
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

    /// Gives it up without waiting: for handles that are dropped.
    func abandon() {
        guard ending.fire(.released) else { return }
        HoldRegistry.shared.remove(self)
        stopMonitors()
        cleaner.start(remove)
    }

    private func nodeIsGone() {
        if !isBeingReplaced.load(ordering: .acquiring) { lose(.nodeRemoved) }
    }

    /// Sends operations that put another node in the place of the own one, and ends the hold if they went through.
    ///
    /// If they certainly did not, it goes on; if the outcome is unknown it is given up, for either node may stand.
    func replace(with operations: [Operation]) async throws(ZooKeeperError) {
        isBeingReplaced.store(true, ordering: .releasing)
        do {
            _ = try await guarded(operations)
        } catch {
            isBeingReplaced.store(false, ordering: .releasing)
            if error.isOutcomeUnknown { abandon() }
            // The look-out may have kept silent about a removal meanwhile, so it looks again.
            let node = Task.detached { [self] in await watchOwnNode(path, nil) }
            monitors.withLock { $0.append(node) }
            if !isLive { stopMonitors() }
            throw error
        }
        guard ending.fire(.released) else { return }
        HoldRegistry.shared.remove(self)
        stopMonitors()
    }

    @Sendable
    private func remove(_ client: ZooKeeperClient) async throws(ZooKeeperError) {
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

    // MARK: - Scope

    private enum Step<R: Sendable>: Sendable {
        case finished(Result<R, any Error>)
        case ended(HoldLoss?)
    }

    /// Runs the body, cancels it when the hold is lost, gives the hold up afterwards.
    func scope<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        let result = await withTaskGroup(of: Step<R>.self, returning: Result<R, any Error>.self) { group in
            group.addTask { [self] in
                do {
                    let holds = TaskHolds.current + [self]
                    return .finished(.success(try await TaskHolds.$current.withValue(holds) { try await body() }))
                } catch {
                    return .finished(.failure(error))
                }
            }
            // Ends when the hold does, or cancelled when the body has finished.
            group.addTask { [self] in .ended(try? await waitForLoss()) }
            var result: Result<R, any Error>?
            while let step = await group.next() {
                switch step {
                case .finished(let outcome):
                    result = outcome
                    group.cancelAll()
                case .ended(let loss):
                    if loss != nil { group.cancelAll() }
                }
            }
            guard let result else { preconditionFailure("the body's task ended without a result") }
            return result
        }
        await release()
        guard loss == nil else {
            var cause: (any Error)?
            if case .failure(let error) = result, !(error is CancellationError) { cause = error }
            throw lostError(underlying: cause)
        }
        return try result.get()
    }
}

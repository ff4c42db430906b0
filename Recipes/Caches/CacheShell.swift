import ConclaveClient
import ConclaveCore

/// Performs the actions of a ``MirrorMachine`` with a client until the session is over or its task is cancelled.
struct CacheShell: ~Copyable {
    /// How changes are noticed.
    enum Noticing: Sendable {
        /// One persistent watch, recursive unless only one node is kept.
        case persistent
        /// A one-shot watch for each node; for servers older than 3.6, and for single nodes.
        case oneShot
    }

    private let client: ZooKeeperClient
    private let core: CacheCore
    private let scope: MirrorMachine.Scope
    private let limits: CacheLimits
    private let inbox: CacheInbox
    private var machine: MirrorMachine
    private var noticing: Noticing
    /// Whether the persistent watch is armed; it outlives connections.
    private var isWatching = false
    private var hasOverflowed = false

    private init(
        client: ZooKeeperClient, core: CacheCore, scope: MirrorMachine.Scope, limits: CacheLimits, noticing: Noticing
    ) {
        self.client = client
        self.core = core
        self.scope = scope
        self.limits = limits
        inbox = CacheInbox(limit: limits.nodes)
        self.noticing = noticing
        machine = MirrorMachine(root: core.path, scope: scope, limits: limits, isOneShot: noticing == .oneShot)
    }

    /// Starts the shell; the task ends with the session.
    static func start(
        _ client: ZooKeeperClient, _ core: CacheCore, _ scope: MirrorMachine.Scope, _ limits: CacheLimits,
        noticing: Noticing = .persistent
    ) -> Task<Void, Never> {
        Task.detached {
            var shell = CacheShell(client: client, core: core, scope: scope, limits: limits, noticing: noticing)
            let error = await shell.run()
            core.apply([.status(.ended(error))])
        }
    }

    /// Returns why it has ended; `nil` when the task was cancelled.
    private mutating func run() async -> ZooKeeperError? {
        let inbox = inbox
        let client = client
        return await withDiscardingTaskGroup(returning: ZooKeeperError?.self) { group in
            defer { group.cancelAll() }
            let isObserving = Signal<Void>()
            group.addTask {
                for await state in client.states {
                    isObserving.fire(())
                    if state == .suspended { inbox.interrupt() }
                }
                // After the last state: wakes the loop, whose next request tells why the session is over.
                isObserving.fire(())
                inbox.interrupt()
            }
            // What is read before somebody looks out for a suspension could grow old without being noticed. Throws only
            // when cancelled.
            guard (try? await isObserving.wait()) != nil else { return nil }
            while true {
                do throws(ZooKeeperError) {
                    if !isWatching { try await watch(&group) }
                    try await follow(&group)
                } catch {
                    if error.code == .cancelled { return nil }
                    perform(.disconnected)
                    switch error.code {
                    case .unimplemented where noticing == .persistent:
                        noticing = .oneShot
                        machine = MirrorMachine(root: core.path, scope: scope, limits: limits, isOneShot: true)
                    case .noWatcher, .throttled:
                        // Somebody removed the watch, or events came faster than they were taken: armed anew.
                        isWatching = false
                    default:
                        guard error.code.isWorthReconnecting else { return error }
                        guard await client.isConnectedAgain(readsSuffice: true) else {
                            return Task.isCancelled ? nil : ZooKeeperError(client.state.endCode, path: core.path)
                        }
                    }
                }
            }
        }
    }

    /// Arms the persistent watch and hands on what it sees.
    private mutating func watch(_ group: inout DiscardingTaskGroup) async throws(ZooKeeperError) {
        guard case .persistent = noticing else { return }
        let watch = try await client.watch(core.path, recursive: true)
        isWatching = true
        let inbox = inbox
        group.addTask {
            do throws(ZooKeeperError) {
                for try await event in watch { inbox.notice(event.path) }
            } catch {
                inbox.endWatch(error)
            }
        }
    }

    /// Reads everything and then whatever is noticed, for as long as the connection or another one lasts.
    private mutating func follow(_ group: inout DiscardingTaskGroup) async throws(ZooKeeperError) {
        var looks = perform(.armed)
        while true {
            while let batch = looks {
                let findings = try await read(batch, &group)
                looks = perform(.read(findings))
                looks = try take(inbox.take()) ?? looks
            }
            if hasOverflowed { throw overflow }
            guard let delivery = await inbox.next() else { throw ZooKeeperError(.cancelled, path: core.path) }
            looks = try take(delivery)
        }
    }

    private var overflow: ZooKeeperError {
        let message = "the cache may keep \(limits.nodes) nodes and \(limits.bytes) bytes, and there are more"
        return ZooKeeperError(.quotaExceeded, path: core.path, message: message)
    }

    /// - Returns: what to read now, if nothing is being read.
    private mutating func take(_ delivery: CacheInbox.Delivery) throws(ZooKeeperError) -> [MirrorMachine.Look]? {
        if let error = delivery.watchEnd { throw error }
        if delivery.isInterrupted { throw ZooKeeperError(.connectionLoss, path: core.path) }
        return perform(.noticed(delivery.noticed))
    }

    /// - Returns: what to read next, if the machine asks for it.
    @discardableResult
    private mutating func perform(_ event: MirrorMachine.Event) -> [MirrorMachine.Look]? {
        var looks: [MirrorMachine.Look]?
        var changes: [CacheChange] = []
        for action in machine.handle(event) {
            switch action {
            case .read(let batch): looks = batch
            case .added(let node): changes.append(.added(node))
            case .changed(let node): changes.append(.changed(node))
            case .removed(let node): changes.append(.removed(node))
            case .becameCurrent: changes.append(.status(.current))
            case .becameStale: changes.append(.status(.stale(since: .now)))
            case .overflowed: hasOverflowed = true
            }
        }
        core.apply(changes)
        return looks
    }

    // MARK: - Reading

    /// Makes looks all at once, on one connection.
    private func read(
        _ looks: [MirrorMachine.Look], _ group: inout DiscardingTaskGroup
    ) async throws(ZooKeeperError) -> [MirrorMachine.Finding] {
        let root = core.path
        let reader = CacheReader(client: client, inbox: noticing == .oneShot ? inbox : nil, root: root)
        let results = await withTaskGroup(
            of: (Int, Result<CacheReader.Answer, ZooKeeperError>).self,
            returning: [Result<CacheReader.Answer, ZooKeeperError>?].self
        ) { readers in
            for (place, look) in looks.enumerated() {
                readers.addTask {
                    do throws(ZooKeeperError) {
                        return (place, .success(try await reader.read(look)))
                    } catch {
                        return (place, .failure(error))
                    }
                }
            }
            var results = [Result<CacheReader.Answer, ZooKeeperError>?](repeating: nil, count: looks.count)
            for await (place, result) in readers { results[place] = result }
            return results
        }
        var findings: [MirrorMachine.Finding] = []
        var failure: ZooKeeperError?
        for result in results {
            switch result {
            case .success(let answer):
                findings.append(answer.finding)
                for (key, watch) in answer.armed { wait(for: watch, key, &group) }
            case .failure(let error): failure = failure ?? error
            case nil: preconditionFailure("a reader of \(root) has vanished")
            }
        }
        if let failure { throw failure }
        return findings
    }

    /// Hands on what a one-shot watch sees. It stays armed over reconnections, and ends with the session.
    private func wait(for watch: Watch, _ key: CacheInbox.WatchKey, _ group: inout DiscardingTaskGroup) {
        let inbox = inbox
        group.addTask {
            do throws(ZooKeeperError) {
                _ = try await watch.fired()
                inbox.disarm(key)
                inbox.notice(key.path)
            } catch {
                inbox.disarm(key)
                // Somebody removed it; else the session is over or the cache closed, which is told elsewhere.
                if error.code == .noWatcher { inbox.notice(key.path) }
            }
        }
    }
}

extension SessionState {
    /// Why nothing can be asked any more.
    fileprivate var endCode: ZooKeeperError.Code {
        switch self {
        case .closed: .closed
        case .authenticationFailed: .authenticationFailed
        case .connecting, .connected, .reconnected, .readOnly, .suspended, .expired: .sessionExpired
        }
    }
}

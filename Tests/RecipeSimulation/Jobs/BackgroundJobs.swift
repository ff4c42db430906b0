import ConclaveClient
import ConclaveCore
import Recipes

/// Operations that are performed, all or none, again and again until they are done or the session is over.
///
/// As `Cleaner` does it with `performIfPossible`: what is missing, or another one's by now, is done.
struct CleaningJob: Job {
    let operations: [Operation]
    /// All together or not at all.
    let isAtomic: Bool
    /// How long whoever cleans up stalls before.
    let pause: Duration?
    let planted: RecipeBug?

    init(_ operations: [Operation], isAtomic: Bool = false, after pause: Duration? = nil, planted: RecipeBug?) {
        self.operations = operations
        self.isAtomic = isAtomic
        self.pause = pause
        self.planted = planted
    }

    func handle(_ event: StepEvent) -> [JobAction] {
        switch event {
        case .start: return [pause.map { .wait(upTo: $0) } ?? .request(.write(operations))]
        case .connected, .elapsed: return [.request(.write(operations))]
        case .failed(let code, _):
            if code.isWorthReconnecting, planted != .cleansOnce { return [.awaitConnection] }
            // Somebody has removed one of several: the others go one by one.
            let rest = code == .noNode && !isAtomic && operations.count > 1 ? operations.filter(\.isRemoval) : []
            return (rest.count > 1 ? rest.map { .background(CleaningJob([$0], planted: planted)) } : [])
                + [.finish(.done)]
        case .answered, .sessionOver, .cancelled, .deadlinePassed: return [.finish(.done)]
        case .changed: return []
        }
    }
}

/// Deletes every child whose name contains the mark, after a sync.
struct SweepingJob: Job {
    let parent: String
    let mark: String
    private var rest: [String] = []
    private var isSynced = false

    init(below parent: String, mark: String) {
        self.parent = parent
        self.mark = mark
    }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        switch event {
        case .start, .connected:
            isSynced = false
            return [.request(.sync(parent))]
        case .answered(.done, _):
            isSynced = true
            return [.request(.children(parent))]
        case .answered(.children(let children), _):
            rest = children.names.filter { $0.contains(mark) }.reversed()
            return removeNext()
        case .answered: return removeNext()
        case .failed(let code, _):
            if code.isWorthReconnecting { return [.awaitConnection] }
            if code == .noNode, !rest.isEmpty { return removeNext() }
            return [.finish(.done)]
        case .sessionOver, .cancelled, .deadlinePassed: return [.finish(.done)]
        case .changed, .elapsed: return []
        }
    }

    private mutating func removeNext() -> [JobAction] {
        guard let name = rest.popLast() else { return [.finish(.done)] }
        return [.request(.write([.delete(parent + "/" + name)]))]
    }
}

extension Operation {
    fileprivate var isRemoval: Bool { if case .delete = self { true } else { false } }
}

/// Deletes an ephemeral node if it is the own session's, and of this incarnation if one is given; after a sync.
struct DisowningJob: Job {
    let path: String
    let session: SessionID
    var incarnation: Zxid?

    func handle(_ event: StepEvent) -> [JobAction] {
        switch event {
        case .start, .connected: return [.request(.sync(path))]
        case .answered(.done, _): return [.request(.exists(path))]
        case .answered(.exists(let stat), _):
            guard let stat, stat.ephemeralOwner == session, incarnation == nil || incarnation == stat.czxid else {
                return [.finish(.done)]
            }
            return [.request(.write([.delete(path)]))]
        case .answered: return [.finish(.done)]
        case .failed(let code, _): return code.isWorthReconnecting ? [.awaitConnection] : [.finish(.done)]
        case .sessionOver, .cancelled, .deadlinePassed: return [.finish(.done)]
        case .changed, .elapsed: return []
        }
    }
}

/// Looks after the node that stands for a hold, as the hold itself does.
struct HoldWatchJob: Job {
    let holding: Holding

    func handle(_ event: StepEvent) -> [JobAction] {
        switch event {
        // Shorter holds go unwatched.
        case .start: return [.wait(upTo: .milliseconds(20))]
        case .elapsed, .changed, .connected: return [.request(.exists(holding.node, watch: true))]
        case .answered(.exists(let stat), _):
            guard let stat else { return [.finish(.nodeGone)] }
            if case .byName = holding.removal { return [.wait(upTo: nil)] }
            // Another one of the same name.
            if stat.czxid != holding.token { return [.finish(.nodeGone)] }
            return [.wait(upTo: nil)]
        case .failed(let code, _): return code.isWorthReconnecting ? [.awaitConnection] : [.finish(.done)]
        case .answered, .sessionOver, .cancelled, .deadlinePassed: return [.finish(.done)]
        }
    }
}

import ConclaveClient
import ConclaveCore
import Recipes

/// One attempt to be the first: the real `FirstComeMachine`, and around it what `FirstComers` does with a client.
struct FirstComeJob: Job {
    private enum Expected: Sendable {
        case nothing
        case parents
        case claimed
        case synced
        case lock
        case parent(Stat)
        case holder
        case departure
    }

    private var machine: FirstComeMachine
    private let path: String
    private let session: SessionID
    private let planted: RecipeBug?
    private var expected = Expected.nothing

    init(_ machine: FirstComeMachine, at path: String, session: SessionID, planted: RecipeBug?) {
        self.machine = machine
        self.path = path
        self.session = session
        self.planted = planted
    }

    private var lock: String { path + "/lock" }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        switch event {
        case .start: return feed(.start)
        case .answered(let answer, let isWindowOpen): return answered(answer, isWindowOpen || planted == .ignoresWindow)
        case .failed(let code, _):
            if case .claimed = expected, code == .nodeExists { return feed(.taken) }
            return feed(.failed(code))
        case .changed: return planted == .sleepsOn ? [.wait(upTo: nil)] : feed(.holderGone)
        case .connected: return feed(.connected)
        case .cancelled: return feed(.cancelled)
        case .deadlinePassed: return feed(.deadlinePassed)
        case .sessionOver(let code): return feed(.sessionOver(code))
        case .elapsed: return []
        }
    }

    private mutating func answered(_ answer: StepAnswer, _ isWindowOpen: Bool) -> [JobAction] {
        switch (expected, answer) {
        case (.parents, .done): return feed(.parentsMade)
        case (.claimed, .written(let results)):
            guard case .dataSet(let stat) = results.last else { return feed(.failed(.protocolViolation)) }
            let claim = FirstComeMachine.Claim(zxid: stat.mzxid, version: stat.version)
            return feed(.claimed(claim, isWindowOpen: isWindowOpen))
        case (.synced, .done):
            expected = .lock
            return [.request(.exists(lock))]
        case (.lock, .exists(let stat)):
            guard let stat else { return feed(.inspected(nil, isWindowOpen: isWindowOpen)) }
            expected = .parent(stat)
            return [.request(.data(path))]
        case (.parent(let lock), .data(let parent)):
            let isBlind = planted == .takesLockOfOthers
            let picture = FirstComeMachine.Picture(
                lockCreated: lock.czxid, lockOwner: isBlind ? session : lock.ephemeralOwner,
                parentData: isBlind ? Array(machine.attempt.text.utf8) : parent.bytes,
                parentModified: parent.stat.mzxid, parentVersion: parent.stat.version)
            return feed(.inspected(picture, isWindowOpen: isWindowOpen))
        case (.holder, .exists(let stat)):
            guard stat != nil else { return feed(.holderGone) }
            expected = .departure
            return [.wait(upTo: nil)]
        default: return feed(.failed(.protocolViolation))
        }
    }

    // MARK: Actions

    private mutating func feed(_ event: FirstComeMachine.Event) -> [JobAction] {
        expected = .nothing
        return machine.handle(event).map { perform($0) }
    }

    private mutating func perform(_ action: FirstComeMachine.Action) -> JobAction {
        switch action {
        case .makeParents:
            expected = .parents
            return .request(.makeParents(path, .persistent))
        case .claim(let attempt):
            expected = .claimed
            return .request(
                .write([.create(lock, [], mode: .ephemeral), .setData(path, Array(attempt.text.utf8))]))
        case .inspect:
            expected = .synced
            return .request(.sync(path))
        case .waitForHolder:
            expected = .holder
            return .request(.exists(lock, watch: true))
        case .awaitConnection: return .awaitConnection
        case .remove(let claim): return .background(CleaningJob(removing(claim), planted: planted))
        case .sweep(let attempt):
            guard planted != .leavesCancelled else { return .background(CleaningJob([], planted: planted)) }
            return .background(ClaimSweepingJob(path: path, attempt: attempt, session: session))
        case .grant(let claim):
            return .finish(
                .hold(
                    Holding(
                        path: path, node: lock, token: claim.zxid, isShared: false,
                        removal: planted == .removesByName ? .byName : .underVersion(claim.version, of: path))))
        case .end(let ending): return .finish(.ended(ending))
        }
    }

    private func removing(_ claim: FirstComeMachine.Claim) -> [Operation] {
        planted == .removesByName ? [.delete(lock)] : [.check(path, version: claim.version), .delete(lock)]
    }
}

/// Deletes the lock node if an attempt made it, after a sync.
struct ClaimSweepingJob: Job {
    let path: String
    let attempt: AttemptID
    let session: SessionID
    private var lock: Stat?

    init(path: String, attempt: AttemptID, session: SessionID) {
        self.path = path
        self.attempt = attempt
        self.session = session
    }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        switch event {
        case .start, .connected: return [.request(.sync(path))]
        case .answered(.done, _): return [.request(.exists(path + "/lock"))]
        case .answered(.exists(let stat), _):
            guard let stat else { return [.finish(.done)] }
            lock = stat
            return [.request(.data(path))]
        case .answered(.data(let parent), _):
            guard let lock else { return [.finish(.done)] }
            let picture = FirstComeMachine.Picture(
                lockCreated: lock.czxid, lockOwner: lock.ephemeralOwner, parentData: parent.bytes,
                parentModified: parent.stat.mzxid, parentVersion: parent.stat.version)
            guard let claim = picture.claim(of: attempt, session: session) else { return [.finish(.done)] }
            return [.request(.write([.check(path, version: claim.version), .delete(path + "/lock")]))]
        case .answered: return [.finish(.done)]
        case .failed(let code, _): return code.isWorthReconnecting ? [.awaitConnection] : [.finish(.done)]
        case .sessionOver, .cancelled, .deadlinePassed: return [.finish(.done)]
        case .changed, .elapsed: return []
        }
    }
}

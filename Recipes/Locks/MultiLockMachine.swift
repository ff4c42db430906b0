import ConclaveClient
import ConclaveCore

/// One attempt to hold several locks together: event in, actions out.
///
/// One transaction queues at all of them. Transactions are in one order, so of two attempts one is before the other in
/// every queue that they share: no circle of waiters can close, whatever locks they name. Then the attempt waits until
/// it stands first everywhere, for one obstacle at a time.
///
/// ```
/// idle ──▶ creating ──made──▶ judging ──nobody in the way──▶ granted
///   │        │ outcome unknown   ▲  │ somebody in the way
///   │        ▼                   │  ▼
///   │     suspended ─▶ syncing ─▶ finding    arming ─▶ waiting ──changed──▶ judging
///   └─(try)─▶ looking
/// ```
package struct MultiLockMachine: StepMachine {
    /// One of the locks.
    package struct Member: Hashable, Sendable {
        package let path: String
        /// What stands between id and number in the node's name.
        package let word: String
        package let isShared: Bool

        package init(path: String, word: String, isShared: Bool) {
            self.path = path
            self.word = word
            self.isShared = isShared
        }
    }

    package enum Output: Hashable, Sendable {
        /// The nodes in the order of the members, all made by one transaction.
        case granted([String], czxid: Zxid)
        case busy
    }

    enum State: Hashable, Sendable {
        case idle
        case looking
        case makingParents([String])
        case creating
        case suspended
        case syncing
        case finding
        case judging([String])
        case arming([String], place: Int)
        case watchingOwn([String])
        case waiting([String])
        case leaving([String], StepFailure?)
        case over
    }

    let members: [Member]
    let session: SessionID
    let identity: [UInt8]
    let acl: [ACL]
    let patience: AttemptPatience
    /// Paths of nodes that the calling task tree holds already.
    let ownHolds: Set<String>
    var state = State.idle
    var attempt: AttemptID
    var retries = 0

    /// - Parameter members: at least one; no path twice.
    package init(
        _ members: [Member], attempt: AttemptID, session: SessionID, identity: [UInt8] = [], acl: [ACL] = .open,
        patience: AttemptPatience = .wait, ownHolds: Set<String> = []
    ) {
        self.members = members
        self.attempt = attempt
        self.session = session
        self.identity = identity
        self.acl = acl
        self.patience = patience
        self.ownHolds = ownHolds
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Output>] {
        switch event {
        case .start:
            guard state == .idle else { return [] }
            guard patience == .once else { return create() }
            state = .looking
            return [.request(.read(lists))]
        case .answered(let answer, let isWindowOpen): return answered(answer, isWindowOpen: isWindowOpen)
        case .failed(let code, let path): return failed(code, at: path)
        case .changed, .elapsed:
            guard case .waiting(let own) = state else { return [] }
            return judge(own)
        case .connected:
            guard state == .suspended else { return [] }
            state = .syncing
            return [.request(.sync(members[0].path))]
        case .cancelled:
            return withdraw(StepFailure(.cancelled, message: "the task was cancelled while it competed"))
        case .deadlinePassed:
            return withdraw(StepFailure(.deadlineExceeded, message: "the deadline passed in the queue"))
        case .sessionOver(let code):
            guard state != .over else { return [] }
            return fail(StepFailure(code))
        }
    }

    // MARK: - Answers

    private mutating func answered(_ answer: StepAnswer, isWindowOpen: Bool) -> [StepAction<Output>] {
        switch (state, answer) {
        case (.looking, .read(let readings)):
            let isBlocked = zip(members, readings).contains { member, reading in
                names(reading).contains { ContenderName($0).map { !(member.isShared && $0.isShared) } ?? false }
            }
            return isBlocked ? finish(.busy) : create()
        case (.makingParents(let paths), .done): return makeParents(Array(paths.dropFirst()))
        case (.creating, .written(let results)): return created(results)
        case (.syncing, .done):
            state = .finding
            return [.request(.read(lists))]
        case (.finding, .read(let readings)): return found(readings)
        case (.judging(let own), .read(let readings)): return judged(own, readings, isWindowOpen: isWindowOpen)
        case (.arming(let own, let place), .exists(let stat)):
            guard stat != nil else { return judge(own) }
            state = .watchingOwn(own)
            return [.request(.exists(own[place], watch: true))]
        case (.watchingOwn(let own), .exists(let stat)):
            // Gone: judging finds that, and queues again.
            guard stat != nil else { return judge(own) }
            state = .waiting(own)
            return [.wait(upTo: nil)]
        case (.leaving(_, let failure), .written): return failure.map { fail($0) } ?? finish(.busy)
        default: return []
        }
    }

    private mutating func created(_ results: [OperationResult]) -> [StepAction<Output>] {
        var own: [String] = []
        for case .created(let path, _) in results { own.append(path) }
        guard own.count == members.count, own.allSatisfy({ name($0) != nil }) else {
            return withdraw(StepFailure(.protocolViolation, at: members[0].path))
        }
        for (member, path) in zip(members, own) {
            guard let number = name(path)?.sequence, (0...ContenderName.lastSequence).contains(number) else {
                return leave(
                    own,
                    StepFailure(
                        .sequenceExhausted, at: member.path, message: "the queue has given out all of its numbers"))
            }
        }
        return judge(own)
    }

    private mutating func judged(
        _ own: [String], _ readings: [StepReading], isWindowOpen: Bool
    ) -> [StepAction<Output>] {
        guard readings.count == members.count + 1, case .data(let first)? = readings.last,
            first.stat.ephemeralOwner == session
        else { return again(without: own) }
        var obstacle: (path: String, place: Int)?
        for (place, member) in members.enumerated() {
            guard let name = name(own[place]),
                let queue = QueuePlace(
                    of: name, isShared: member.isShared, among: names(readings[place]),
                    ownHolds: namesHeld(below: member.path))
            else { return again(without: own) }
            guard let nearest = queue.obstacle else { continue }
            if patience == .once { return leave(own, nil) }
            if queue.isBehindOwnHold { return leave(own, StepFailure(.selfDeadlock, at: member.path)) }
            obstacle = obstacle ?? (NodePath.text(of: nearest.text, below: member.path), place)
        }
        if let obstacle {
            state = .arming(own, place: obstacle.place)
            return [.request(.exists(obstacle.path, watch: true))]
        }
        guard isWindowOpen else {
            return patience == .once ? withdraw(StepFailure(.connectionLoss)) : suspend()
        }
        return finish(.granted(own, czxid: first.stat.czxid))
    }

    private mutating func found(_ readings: [StepReading]) -> [StepAction<Output>] {
        var own: [String] = []
        for (member, reading) in zip(members, readings) {
            guard let name = names(reading).first(where: { $0.contains(attempt.text) }) else { continue }
            own.append(NodePath.text(of: name, below: member.path))
        }
        if own.isEmpty { return create() }
        // One transaction makes all or none: where some are missing, somebody has removed them.
        return own.count == members.count ? judge(own) : again(without: own)
    }

    private mutating func failed(_ code: ZooKeeperError.Code, at path: String?) -> [StepAction<Output>] {
        if code.isWorthReconnecting {
            if case .leaving(let own, let failure?) = state { return [.clean(own.map { .delete($0) })] + fail(failure) }
            return patience == .once ? withdraw(StepFailure(code)) : suspend()
        }
        switch state {
        case .creating where code == .noNode:
            guard countRetry() else { return fail(StepFailure(code, at: path)) }
            return makeParents(members.map(\.path))
        case .leaving(let own, let failure) where code == .noNode:
            // Somebody has removed one of them, so they go one by one.
            return [.clean(own.map { .delete($0) })] + (failure.map { fail($0) } ?? finish(.busy))
        default: return withdraw(StepFailure(code, at: path))
        }
    }

    // MARK: - Orders

    /// The children of all, in one request.
    private var lists: [ReadOperation] { members.map { .children($0.path) } }

    private mutating func create() -> [StepAction<Output>] {
        state = .creating
        let operations = members.map { member in
            Operation.create(
                NodePath.text(of: "_c_\(attempt.text)-\(member.word)", below: member.path), identity,
                mode: .ephemeralSequential, acl: acl)
        }
        return [.request(.write(operations))]
    }

    private mutating func makeParents(_ paths: [String]) -> [StepAction<Output>] {
        guard let path = paths.first else { return create() }
        state = .makingParents(paths)
        return [.request(.makeParents(path, .container))]
    }

    private mutating func judge(_ own: [String]) -> [StepAction<Output>] {
        state = .judging(own)
        return [.request(.read(lists + [.data(own[0])]))]
    }

    private mutating func suspend() -> [StepAction<Output>] {
        state = .suspended
        return [.awaitConnection]
    }

    private mutating func leave(_ own: [String], _ failure: StepFailure?) -> [StepAction<Output>] {
        state = .leaving(own, failure)
        return [.request(.write(own.map { .delete($0) }))]
    }

    /// Some of the nodes have gone while the session lives: gives the others up and queues again, under a new id.
    private mutating func again(without own: [String]) -> [StepAction<Output>] {
        let cleaning: [StepAction<Output>] = [.clean(own.map { .delete($0) })]
        guard countRetry() else { return cleaning + fail(StepFailure(.noNode, at: members[0].path)) }
        attempt = attempt.next
        return cleaning + create()
    }

    private mutating func countRetry() -> Bool {
        retries += 1
        return retries <= ContenderMachine.retryLimit
    }

    private mutating func finish(_ output: Output) -> [StepAction<Output>] {
        state = .over
        return [.finish(output)]
    }

    private mutating func fail(_ failure: StepFailure) -> [StepAction<Output>] {
        state = .over
        return [.fail(failure)]
    }

    private mutating func withdraw(_ failure: StepFailure) -> [StepAction<Output>] {
        let cleaning: [StepAction<Output>]
        switch state {
        case .over: return []
        case .idle, .looking, .makingParents: cleaning = []
        case .creating, .suspended, .syncing, .finding:
            cleaning = members.map { .sweep(below: $0.path, mark: attempt.text) }
        case .judging(let own), .arming(let own, _), .watchingOwn(let own), .waiting(let own), .leaving(let own, _):
            cleaning = [.clean(own.map { .delete($0) })]
        }
        return cleaning + fail(failure)
    }

    // MARK: - Names

    private func names(_ reading: StepReading) -> [String] {
        guard case .children(let names) = reading else { return [] }
        return names
    }

    private func name(_ path: String) -> ContenderName? {
        ContenderName(String(decoding: NodePath(path).name, as: UTF8.self))
    }

    private func namesHeld(below path: String) -> Set<String> {
        Set(
            ownHolds.filter { NodePath($0).parent?.text == path }.map {
                String(decoding: NodePath($0).name, as: UTF8.self)
            })
    }
}

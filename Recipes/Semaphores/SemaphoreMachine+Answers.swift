import ConclaveClient
import ConclaveCore

/// What an attempt at a semaphore makes of answers and failures.
extension SemaphoreMachine {
    mutating func answered(_ answer: StepAnswer, isWindowOpen: Bool) -> [StepAction<Output>] {
        switch (state, answer) {
        case (.looking, .read(let readings)): return looked(readings)
        case (.judging(let own), .read(let readings)): return judged(own, readings, isWindowOpen: isWindowOpen)
        case (.finding, .read(let readings)): return found(readings)
        case (.makingParents(let paths, let then), .done): return makeParents(Array(paths.dropFirst()), then: then)
        case (.makingLimit(let then), .written): return resume(then)
        case (.queueing, .written(let results)): return queued(results)
        case (.syncing, .done):
            state = .finding
            return [.request(.read(plan.looks))]
        case (.examining(let own), .exists(let stat)): return examined(own, stat)
        case (.examiningLeases(let own), .exists(let stat)):
            return examinedLeases(own, stat, isWindowOpen: isWindowOpen)
        case (.arming(let own, let obstacle), _): return armed(own, obstacle, answer)
        case (.watchingOwn(let own), .exists(let stat)):
            guard stat != nil else { return again() }
            state = .waiting(own: own)
            return [.wait(upTo: nil)]
        case (.taking(let own, _), .written(let results)): return took(own, results, isWindowOpen: isWindowOpen)
        case (.leaving(let output), .written): return finish(output)
        case (.failing(_, let failure), .written): return fail(failure)
        default: return []
        }
    }

    mutating func failed(_ code: ZooKeeperError.Code, at path: String?) -> [StepAction<Output>] {
        if code.isWorthReconnecting { return disconnected(code) }
        switch state {
        case .idle, .over: return []
        case .queueing where code == .noNode: return makeParents([plan.locks, plan.leases], then: .queueing)
        case .makingLimit(let then) where code == .nodeExists: return resume(then)
        case .makingLimit(let then) where code == .noNode:
            guard let parent = path.flatMap({ NodePath($0).parent }), parent != .root else { break }
            guard countRetry() else { break }
            state = .makingParents([parent.text], then: then)
            return [.request(.makeParents(parent.text, .persistent))]
        case .taking(let own, _) where code == .noNode:
            // Either the own node has gone, or the folder of the leases, which servers remove when it is empty.
            return path == own ? again() : makeParents([plan.leases], then: .judging(own: own))
        case .taking(let own, _) where code == .badVersion: return judge(own)
        case .arming(let own, _) where code == .noNode: return judge(own)
        case .leaving(let output) where code == .noNode: return finish(output)
        case .failing(_, let failure) where code == .noNode: return fail(failure)
        default: break
        }
        return withdraw(StepFailure(code, at: path))
    }

    /// Waits for a connection and looks what has become of the attempt; a try does not wait.
    private mutating func disconnected(_ code: ZooKeeperError.Code) -> [StepAction<Output>] {
        switch state {
        case .idle, .over: return []
        case .failing(let own, let failure): return [.clean([.delete(own)])] + fail(failure)
        default: return patience == .once ? withdraw(StepFailure(code)) : suspend()
        }
    }

    // MARK: - Looking

    /// What a bundle of reads says; `nil` for a limit that is missing.
    private struct Picture {
        var queue: [ContenderName] = []
        var queueTexts: [String] = []
        var leases: [String] = []
        var limit: Int?
        var limitVersion: Int32?
        var failure: StepFailure?
    }

    private func picture(_ readings: [StepReading]) -> Picture {
        var picture = Picture()
        for (place, reading) in readings.enumerated() {
            switch (place, reading) {
            case (0, .children(let names)):
                picture.queueTexts = names
                picture.queue = names.compactMap(ContenderName.init)
            case (1, .children(let names)): picture.leases = names
            case (2, .data(let node)):
                picture.limitVersion = node.stat.version
                picture.limit = SharedLimit.decode(node.bytes).map(Int.init)
                if picture.limit == nil {
                    picture.failure = StepFailure(
                        .badConfiguration, at: limitPath, message: "the limit must be four bytes, big-endian")
                }
            case (_, .failed(let code)) where code != .noNode:
                picture.failure = StepFailure(code, at: plan.looks[place].path)
            default: break
            }
        }
        if case .fixed(let limit) = plan.limit { picture.limit = limit }
        return picture
    }

    private var limitPath: String? {
        guard case .shared(let path, _) = plan.limit else { return nil }
        return path
    }

    /// Makes the node of the limit; the caller has found none.
    private mutating func makeLimit(then resumption: Resumption) -> [StepAction<Output>] {
        guard case .shared(let path, let value) = plan.limit, countRetry() else {
            return withdraw(StepFailure(.noNode, at: limitPath))
        }
        state = .makingLimit(then: resumption)
        return [.request(.write([.create(path, SharedLimit.encode(value), mode: .persistent, acl: plan.acl)]))]
    }

    private mutating func looked(_ readings: [StepReading]) -> [StepAction<Output>] {
        let picture = picture(readings)
        if let failure = picture.failure { return fail(failure) }
        guard let limit = picture.limit else { return makeLimit(then: .looking) }
        guard picture.queue.isEmpty, limit - picture.leases.count >= plan.permits else { return finish(.busy) }
        return queue()
    }

    private mutating func judged(
        _ own: String, _ readings: [StepReading], isWindowOpen: Bool
    ) -> [StepAction<Output>] {
        let picture = picture(readings)
        if let failure = picture.failure { return withdraw(failure) }
        guard let name = picture.queue.first(where: { NodePath.text(of: $0.text, below: plan.locks) == own }) else {
            return again()
        }
        guard let limit = picture.limit else { return makeLimit(then: .judging(own: own)) }
        if let predecessor = picture.queue.filter({ $0 < name }).max() {
            if patience == .once { return leave(own, .busy) }
            let path = NodePath.text(of: predecessor.text, below: plan.locks)
            state = .arming(own: own, .predecessor(path))
            return [.request(.exists(path, watch: true))]
        }
        guard limit - picture.leases.count >= plan.permits else { return full(own, picture) }
        guard isWindowOpen else {
            return patience == .once ? withdraw(StepFailure(.connectionLoss)) : suspend()
        }
        return take(own, number: name.sequence, limitVersion: picture.limitVersion)
    }

    /// First in the queue, and not enough leases are left.
    private mutating func full(_ own: String, _ picture: Picture) -> [StepAction<Output>] {
        if patience == .once { return leave(own, .busy) }
        // Even if all others gave theirs back, the task's own leases would be in the way.
        let owned = picture.leases.count { ownLeases.contains(NodePath.text(of: $0, below: plan.leases)) }
        if case .fixed(let limit) = plan.limit, limit - owned < plan.permits {
            state = .failing(own: own, StepFailure(.selfDeadlock, at: plan.path))
            return [.request(.write([.delete(own)]))]
        }
        state = .arming(own: own, .leases)
        return [.request(.children(plan.leases, watch: true))]
    }

    private mutating func armed(_ own: String, _ obstacle: Obstacle, _ answer: StepAnswer) -> [StepAction<Output>] {
        switch (obstacle, answer) {
        case (.predecessor, .exists(let stat)):
            guard stat != nil else { return judge(own) }
        case (.leases, .children(let children)):
            switch plan.limit {
            case .fixed(let limit):
                guard limit - children.names.count < plan.permits else { return judge(own) }
            case .shared(let path, _):
                state = .arming(own: own, .limit(leases: children.names.count))
                return [.request(.data(path, watch: true))]
            }
        case (.limit(let leases), .data(let node)):
            guard let limit = SharedLimit.decode(node.bytes), Int(limit) - leases < plan.permits else {
                return judge(own)
            }
        default: return []
        }
        state = .watchingOwn(own: own)
        return [.request(.exists(own, watch: true))]
    }

    // MARK: - Queueing and taking

    private mutating func queued(_ results: [OperationResult]) -> [StepAction<Output>] {
        guard case .created(let own, let stat)? = results.first, let name = ContenderName(Self.name(own)) else {
            return withdraw(StepFailure(.protocolViolation, at: plan.locks))
        }
        guard (0...ContenderName.lastSequence).contains(name.sequence) else {
            return [.clean([.delete(own)])]
                + fail(
                    StepFailure(
                        .sequenceExhausted, at: plan.locks, message: "the queue has given out all of its numbers"))
        }
        guard stat?.ephemeralOwner ?? session == session else { return again() }
        return judge(own)
    }

    /// One transaction: out of the queue, into the leases, and only if the limit is still what was seen.
    private mutating func take(_ own: String, number: Int32, limitVersion: Int32?) -> [StepAction<Output>] {
        let leases = plan.leaseNodes(of: attempt, number: number)
        var operations: [Operation] = [.delete(own)]
        operations += leases.map { .create($0, plan.identity, mode: .ephemeral, acl: plan.acl) }
        // Tells the facts of the first lease, which the create in a transaction does not.
        operations.append(.setData(leases[0], plan.identity))
        if let limitVersion, let limitPath { operations.append(.check(limitPath, version: limitVersion)) }
        state = .taking(own: own, limitVersion: limitVersion)
        return [.request(.write(operations))]
    }

    private mutating func took(
        _ own: String, _ results: [OperationResult], isWindowOpen: Bool
    ) -> [StepAction<Output>] {
        var stat: Stat?
        for case .dataSet(let facts) in results { stat = facts }
        guard let stat, let name = ContenderName(Self.name(own)) else {
            return withdraw(StepFailure(.protocolViolation, at: plan.leases))
        }
        let paths = plan.leaseNodes(of: attempt, number: name.sequence)
        return grant(Leases(paths: paths, czxid: stat.czxid), isWindowOpen: isWindowOpen)
    }

    private mutating func grant(_ leases: Leases, isWindowOpen: Bool) -> [StepAction<Output>] {
        guard isWindowOpen else {
            return patience == .once ? withdraw(StepFailure(.connectionLoss)) : suspend()
        }
        return finish(.granted(leases))
    }

    // MARK: - After a lost answer

    private mutating func found(_ readings: [StepReading]) -> [StepAction<Output>] {
        let picture = picture(readings)
        let mark = attempt.text
        let leases = picture.leases.filter { $0.contains(mark) }
        if let lease = leases.compactMap({ ContenderName($0) }).first {
            // The transaction creates all of them or none; some may have been removed since.
            let own = plan.leaseNodes(of: attempt, number: lease.sequence)
            let cleaning = leases.map { Operation.delete(NodePath.text(of: $0, below: plan.leases)) }
            guard leases.count == plan.permits else { return [.clean(cleaning)] + again() }
            state = .examiningLeases(own: own[0])
            return [.request(.exists(own[0]))]
        }
        let nodes = picture.queue.filter { $0.text.contains(mark) }.sorted()
        guard let first = nodes.first else { return queue() }
        let own = NodePath.text(of: first.text, below: plan.locks)
        let twins = nodes.dropFirst().map { Operation.delete(NodePath.text(of: $0.text, below: plan.locks)) }
        state = .examining(own: own)
        return (twins.isEmpty ? [] : [.clean(twins)]) + [.request(.exists(own))]
    }

    private mutating func examined(_ own: String, _ stat: Stat?) -> [StepAction<Output>] {
        guard let stat, stat.ephemeralOwner == session else { return again() }
        return judge(own)
    }

    private mutating func examinedLeases(
        _ own: String, _ stat: Stat?, isWindowOpen: Bool
    ) -> [StepAction<Output>] {
        guard let stat, stat.ephemeralOwner == session, let name = ContenderName(Self.name(own)) else {
            return [.sweep(below: plan.leases, mark: attempt.text)] + again()
        }
        let paths = plan.leaseNodes(of: attempt, number: name.sequence)
        return grant(Leases(paths: paths, czxid: stat.czxid), isWindowOpen: isWindowOpen)
    }

    static func name(_ path: String) -> String { String(decoding: NodePath(path).name, as: UTF8.self) }
}

import ConclaveClient
import ConclaveCore
import ConclaveSimulator
import Recipes

/// What came of a put or a take: told with the mark, which can be used again.
struct QueueReport: Sendable {
    enum Got: Sendable {
        case put
        /// The payloads that were taken.
        case taken([[UInt8]])
        case nothing
        case noRoom
    }

    let number: Int
    let got: Got
    let mark: QueueMark?
}

/// Puts one item, as soon as there is room: the real machines, and around them what `QueueCore` does without a line and
/// without credit. Nobody's impatience stops a transaction that has been sent.
struct QueuePutJob: Job {
    private enum Stage: Sendable {
        case putting(StepJob<QueuePutMachine>)
        case waiting(StepJob<QueueWaitMachine>)
    }

    let nodes: QueueNodes
    private let payload: [UInt8]
    private let capacity: Int?
    private let number: Int
    private let session: SessionID
    private let patience: AttemptPatience
    private let planted: RecipeBug?
    private var attempt: AttemptID
    private var mark: QueueMark
    private var stage: Stage?

    init(
        _ payload: [UInt8], to nodes: QueueNodes, capacity: Int?, mark: QueueMark, attempt: AttemptID, number: Int,
        session: SessionID, patience: AttemptPatience, planted: RecipeBug?
    ) {
        self.payload = payload
        self.nodes = nodes
        self.capacity = capacity
        self.mark = mark
        self.attempt = attempt
        self.number = number
        self.session = session
        self.patience = patience
        self.planted = planted
    }

    var isUninterruptible: Bool { if case .putting = stage { true } else { false } }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        switch stage {
        case nil: return put()
        case .putting(var job):
            let actions = job.handle(event)
            stage = .putting(job)
            return follow(actions)
        case .waiting(var job):
            let actions = job.handle(event)
            stage = .waiting(job)
            return follow(actions)
        }
    }

    private mutating func put() -> [JobAction] {
        let number = number
        let machine = QueuePutMachine(
            nodes: nodes, creates: [.create(nodes.items + "/qn-", payload, mode: .persistentSequential)],
            limit: planted == .ignoresRoom ? nil : capacity, mark: mark, attempt: attempt, session: session)
        var job = StepJob(machine, session: session, planted: planted) { output in
            guard case .put = output.outcome else { return .full(output.mark) }
            return .queued(.init(number: number, got: .put, mark: output.mark))
        }
        let actions = job.handle(.start)
        stage = .putting(job)
        return follow(actions)
    }

    private mutating func follow(_ actions: [JobAction]) -> [JobAction] {
        var result: [JobAction] = []
        for action in actions {
            switch action {
            case .finish(.full(let mark)): result += full(mark)
            case .finish(.worthLooking): result += put()
            default: result.append(action)
            }
        }
        return result
    }

    private mutating func full(_ mark: QueueMark) -> [JobAction] {
        guard patience == .wait else {
            return [.finish(.queued(.init(number: number, got: .noRoom, mark: mark)))]
        }
        self.mark = mark
        attempt = attempt.next
        let machine = QueueWaitMachine(nodes: nodes, ordering: .arrival, goal: .room(limit: capacity ?? .max))
        var job = StepJob(machine, session: session, planted: planted) { _ in .worthLooking }
        let actions = job.handle(.start)
        stage = .waiting(job)
        return follow(actions)
    }
}

/// Takes an item out of a queue, or claims one: the real machines, and around them what `QueueCore` does.
///
/// Those who wait do not stand in line here, as they do there so that one item wakes one of them.
struct QueueGetJob: Job {
    /// What is to be done with the item.
    enum Purpose: Sendable {
        case take(QueueMark, AttemptID)
        case claim([UInt8])
    }

    private enum Stage: Sendable {
        case fetching(StepJob<QueueFetchMachine>)
        case getting(StepJob<QueueTakeMachine>, [QueueCandidate])
        case waiting(StepJob<QueueWaitMachine>)
    }

    let nodes: QueueNodes
    private let path: String
    private let number: Int
    private let patience: AttemptPatience
    private let count: Int
    private let session: SessionID
    private let planted: RecipeBug?
    private var purpose: Purpose
    private var window = QueueWindow(ordering: .arrival)
    private var random: SeededRandom
    private var stage: Stage?

    init(
        _ purpose: Purpose, nodes: QueueNodes, count: Int, number: Int, session: SessionID,
        patience: AttemptPatience, seed: UInt64, planted: RecipeBug?
    ) {
        self.purpose = purpose
        self.nodes = nodes
        path = nodes.items
        self.count = count
        self.number = number
        self.session = session
        self.patience = patience
        self.planted = planted
        random = SeededRandom(seed: seed)
    }

    var isUninterruptible: Bool { if case .getting = stage { true } else { false } }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        guard let now = stage else { return draw() }
        switch now {
        case .fetching(var job):
            let actions = job.handle(event)
            stage = .fetching(job)
            return follow(actions)
        case .getting(var job, let candidates):
            let actions = job.handle(event)
            stage = .getting(job, candidates)
            return follow(actions)
        case .waiting(var job):
            let actions = job.handle(event)
            stage = .waiting(job)
            return follow(actions)
        }
    }

    /// Passes on what a stage orders, and goes on to the next one when it has finished.
    private mutating func follow(_ actions: [JobAction]) -> [JobAction] {
        var result: [JobAction] = []
        for action in actions {
            guard case .finish(let outcome) = action else {
                result.append(action)
                continue
            }
            switch outcome {
            case .fetched(let fetched): result += learned(fetched)
            case .tried(let output): result += tried(output)
            case .worthLooking: result += draw()
            default: result.append(action)
            }
        }
        return result
    }

    private mutating func draw() -> [JobAction] {
        let drawn = window.draw(upTo: count)
        guard drawn.isEmpty else { return get(drawn) }
        let plan = window.plan(using: &random)
        var claims = false
        if case .claim = purpose { claims = true }
        let machine = QueueFetchMachine(nodes: nodes, ordering: .arrival, plan: plan, now: 0, asksForClaims: claims)
        var job = StepJob(machine, session: session, planted: planted) { .fetched($0) }
        let actions = job.handle(.start)
        stage = .fetching(job)
        return follow(actions)
    }

    private mutating func learned(_ fetched: QueueFetched) -> [JobAction] {
        window.learn(fetched)
        guard fetched.candidates.isEmpty else { return draw() }
        guard patience == .wait else { return [.finish(nothing)] }
        let machine = QueueWaitMachine(
            nodes: nodes, ordering: .arrival, goal: .item(ignoring: fetched.unusable, now: 0))
        var job = StepJob(machine, session: session, planted: planted) { _ in .worthLooking }
        let actions = job.handle(.start)
        stage = .waiting(job)
        return follow(actions)
    }

    private var nothing: Outcome {
        guard case .take(let mark, _) = purpose else { return .ended(.busy) }
        return .queued(.init(number: number, got: .nothing, mark: mark))
    }

    private mutating func get(_ drawn: [QueueCandidate]) -> [JobAction] {
        let what: QueueTakeMachine.Purpose =
            switch purpose {
            case .take(let mark, let attempt): .take(mark, attempt)
            case .claim(let data): .claim(data)
            }
        let machine = QueueTakeMachine(nodes: nodes, candidates: drawn, purpose: what, session: session)
        var job = StepJob(machine, session: session, planted: planted) { .tried($0) }
        let actions = job.handle(.start)
        stage = .getting(job, drawn)
        return follow(actions)
    }

    private mutating func tried(_ output: QueueTakeMachine.Output) -> [JobAction] {
        guard case .getting(_, let drawn) = stage else { return [] }
        // Each transaction has an id of its own, as in `QueueCore`; those of one job begin alike.
        if case .take(_, let attempt) = purpose, let mark = output.mark { purpose = .take(mark, attempt.next) }
        switch output.outcome {
        case .got(let zxid):
            guard case .take = purpose else { return [.finish(.hold(holding(drawn[0], zxid)))] }
            return [.finish(.queued(.init(number: number, got: .taken(drawn.map(\.data)), mark: output.mark)))]
        case .lost(let path):
            let rest = drawn.filter { nodes.item($0.name) != path }
            for lost in drawn where nodes.item(lost.name) == path { window.settleLost(lost) }
            return rest.isEmpty ? draw() : get(rest)
        }
    }

    private func holding(_ candidate: QueueCandidate, _ zxid: Zxid) -> Holding {
        let item = nodes.item(candidate.name)
        return Holding(
            path: path, node: nodes.claim(candidate.name), token: zxid, isShared: false,
            removal: .underVersion(candidate.version &+ 1, of: item), resources: [item])
    }
}

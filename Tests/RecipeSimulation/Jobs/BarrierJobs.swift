import ConclaveClient
import ConclaveCore
import ConclaveSimulator
import Recipes

/// Goes through a double barrier: enters with the real `EnterMachine`, leaves with the real `LeaveMachine`.
struct DoubleBarrierJob: Job {
    private enum Stage: Sendable {
        case entering(StepJob<EnterMachine>)
        /// Whether a state has been seen since it was let in, by which that can be judged.
        case leaving(StepJob<LeaveMachine>, hasSeen: Bool)
    }

    let number: Int
    let nodes: DoubleBarrierNodes
    private let session: SessionID
    private let planted: RecipeBug?
    private var stage: Stage

    init(_ nodes: DoubleBarrierNodes, count: Int, number: Int, session: SessionID, planted: RecipeBug?) {
        self.nodes = nodes
        self.number = number
        self.session = session
        self.planted = planted
        let machine = EnterMachine(nodes: nodes, count: count, identity: [], breaks: false, session: session)
        stage = .entering(StepJob(machine, session: session, planted: planted) { _ in .entered(number) })
    }

    /// Whether it waits for others to come.
    var isEntering: Bool { if case .entering = stage { true } else { false } }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        switch stage {
        case .entering(var job):
            let actions = job.handle(event)
            stage = .entering(job)
            return actions.flatMap { action -> [JobAction] in
                guard case .finish(.entered) = action else { return [action] }
                return leave()
            }
        case .leaving(var job, let hadSeen):
            let actions = job.handle(event)
            guard !hadSeen, case .answered = event else {
                stage = .leaving(job, hasSeen: hadSeen)
                return actions
            }
            stage = .leaving(job, hasSeen: true)
            let entered = JobAction.tell(.entered(number))
            guard planted == .leavesAtOnce else { return [entered] + actions }
            return [
                entered, .background(CleaningJob([.delete(nodes.own)], planted: planted)), .finish(.left(number)),
            ]
        }
    }

    private mutating func leave() -> [JobAction] {
        var job = StepJob(LeaveMachine(nodes: nodes), session: session, planted: planted) { [number] _ in .left(number)
        }
        let actions = job.handle(.start)
        stage = .leaving(job, hasSeen: false)
        return actions
    }
}

extension RecipeClient {
    mutating func doubleBarrier(_ id: AttemptID, _ place: Scenario.Place) -> any Job {
        let nodes = DoubleBarrierNodes(path: place.path, member: id.text)
        let number = journal.passages.count
        journal.passages.append(.init(path: place.path, node: nodes.own))
        return DoubleBarrierJob(
            nodes, count: place.meeting, number: number, session: session.session, planted: planted)
    }

    mutating func countBarrier(_ id: AttemptID, _ place: Scenario.Place) -> any Job {
        let number = journal.passages.count
        journal.passages.append(.init(path: place.path, node: id.text))
        let machine = CountBarrierMachine(
            path: place.path, id: id, count: place.meeting, identity: [], breaks: false, session: session.session)
        var job = StepJob(machine, session: session.session, planted: planted) { .passed(number, round: $0) }
        job.subject = place.path
        return job
    }

    mutating func passed(_ outcome: Outcome) {
        switch outcome {
        case .entered(let number):
            journal.passages[number].enteredAt = session.lastAnswer
        case .left(let number): journal.passages[number].leftAt = session.lastAnswer
        case .passed(let number, let round):
            journal.passages[number].enteredAt = session.lastAnswer
            journal.passages[number].round = round
        default: break
        }
    }

    // MARK: The end

    /// Where a job waits for others to come, if it does.
    private func gathering(_ number: Int) -> Scenario.Place? {
        guard let job = jobs.first(where: { $0.number == number })?.job else { return nil }
        let path: String? =
            switch job {
            case let double as DoubleBarrierJob: double.isEntering ? double.nodes.path : nil
            case let counted as StepJob<CountBarrierMachine>: counted.subject
            case let gate as StepJob<GateMachine>: gate.subject
            case let latch as StepJob<LatchMachine>: latch.subject
            default: nil
            }
        return scenario.places.first { $0.path == path }
    }

    /// Nobody new comes at the end: as many others as are needed come for those who wait, and go when nobody does.
    mutating func gather(_ world: inout World) {
        guard isFinishing else { return }
        companions = companions.filter { number in jobs.contains { $0.number == number } }
        let waiting = actors.compactMap { actor -> Scenario.Place? in
            if case .attempting(let number, _, _) = actor { gathering(number) } else { nil }
        }
        if let place = waiting.first {
            switch place.family {
            case .doubleBarrier, .countBarrier:
                let count = companions.count { gathering($0)?.path == place.path }
                for _ in count..<max(count, place.meeting - 1) {
                    let id = AttemptID(high: world.random.next(), low: world.random.next())
                    let job = place.family == .doubleBarrier ? doubleBarrier(id, place) : countBarrier(id, place)
                    companions.append(start(job, .background, &world))
                }
            default:
                // Those at a barrier stay until everybody is through.
                guard companions.allSatisfy({ gathering($0) != nil }) else { break }
                for job in relief(at: place, &world) { companions.append(start(job, .background, &world)) }
            }
        } else {
            for number in companions where gathering(number) != nil { withdraw(number, .cancelled, &world) }
        }
        drainInbox(&world)
    }
}

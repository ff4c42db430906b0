import ConclaveClient
import ConclaveCore
import ConclaveSimulator
import Recipes

/// Looks who else stands for election and hands over to one of them, with the real `HandOverMachine`.
struct HandOverJob: Job {
    let path: String
    let own: String
    let patience: Duration
    /// Which of the others it is to be, counted round.
    let pick: Int
    let session: SessionID
    let planted: RecipeBug?
    private var offering: StepJob<HandOverMachine>?

    init(_ holding: Holding, pick: Int, patience: Duration, session: SessionID, planted: RecipeBug?) {
        path = holding.path
        own = holding.node
        self.pick = pick
        self.patience = patience
        self.session = session
        self.planted = planted
    }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        if let actions = offering?.handle(event) { return actions }
        switch event {
        case .start, .connected: return [.request(.children(path))]
        case .answered(.children(let children), _): return offer(children.names)
        case .failed(let code, _): return [code.isWorthReconnecting ? .awaitConnection : .finish(.handedOver(false))]
        case .sessionOver(let code): return [.finish(.refused(code, at: path))]
        case .answered, .cancelled, .deadlinePassed: return [.finish(.handedOver(false))]
        case .changed, .elapsed: return []
        }
    }

    private mutating func offer(_ names: [String]) -> [JobAction] {
        let others = names.compactMap(ContenderName.init).sorted().map { path + "/" + $0.text }.filter { $0 != own }
        guard !others.isEmpty,
            let machine = HandOverMachine(
                path: path, own: own, candidate: others[pick % others.count], patience: patience)
        else { return [.finish(.handedOver(false))] }
        var job = StepJob(machine, session: session, planted: planted) { .handedOver($0 == .taken) }
        let actions = job.handle(.start)
        offering = job
        return actions
    }
}

/// Leaders that hand over to another candidate instead of giving up.
extension RecipeClient {
    /// - Returns: whether this holder does so. It has stopped whatever only a leader may do.
    mutating func handsOver(_ hold: Int, _ world: inout World) -> Bool {
        let holding = journal.holds[hold].holding
        guard !isFinishing, liveHolds.contains(hold),
            scenario.places.contains(where: { $0.path == holding.path && $0.family == .election }),
            world.random.chance(perMille: scenario.handsOverPerMille)
        else { return false }
        stopBelieving(hold, world)
        handingOver.append(hold)
        let job = HandOverJob(
            holding, pick: world.random.index(below: 8), patience: .milliseconds(world.random.magnitude(5...1_000)),
            session: session.session, planted: planted)
        start(job, .handOver(hold), &world)
        return true
    }

    /// Somebody has taken the leader's place, or nobody has: then it gives up.
    mutating func handedOver(_ hold: Int, _ outcome: Outcome, _ world: inout World) {
        handingOver.removeAll { $0 == hold }
        guard liveHolds.contains(hold) else { return }
        if case .handedOver(true) = outcome {
            journal.handOvers += 1
            endHold(hold, .released, &world)
            liveHolds.removeAll { $0 == hold }
            end(lookOutOf: hold, &world)
        } else {
            release(hold, &world)
        }
        for actor in actors.indices {
            if case .holding(hold, _, _) = actors[actor] { rest(actor, &world) }
        }
    }
}

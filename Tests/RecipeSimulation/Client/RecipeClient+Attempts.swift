import ClusterSimulation
import ConclaveClient
import ConclaveCore
import ConclaveSession
import ConclaveSimulator
import Recipes

/// What an actor attempts: the machine of each recipe, and what its output means.
extension RecipeClient {
    mutating func attempt(_ actor: Int, _ world: inout World) {
        let place = scenario.places[world.random.index(below: scenario.places.count)]
        let isTry = world.random.chance(perMille: scenario.triesPerMille)
        guard let job = job(at: place, isTry ? .once : .wait, &world) else { return rest(actor, &world) }
        journal.attempts += 1
        let number = start(job, .attempt(actor), &world)
        var until = Instant.distantFuture
        if world.random.chance(perMille: scenario.withdrawsPerMille) {
            until = world.now.advanced(byMilliseconds: world.random.magnitude(1...scenario.patienceMilliseconds))
        }
        let byDeadline = world.random.chance(perMille: 500)
        actors[actor] = .attempting(job: number, until: until, byDeadline: byDeadline)
    }

    private mutating func job(
        at place: Scenario.Place, _ patience: AttemptPatience, _ world: inout World
    ) -> (any Job)? {
        let id = AttemptID(high: world.random.next(), low: world.random.next())
        switch place.family {
        case .lock, .delayedLock: return contender(id, place, .lock, patience)
        case .election: return contender(id, place, .latch, patience)
        case .readWrite: return contender(id, place, world.random.chance(perMille: 600) ? .read : .write, patience)
        case .firstCome:
            let machine = FirstComeMachine(attempt: id, session: session.session, patience: patience)
            return FirstComeJob(machine, at: place.path, session: session.session, planted: planted)
        case .semaphore:
            return semaphore(id, place, permits: 1 + world.random.index(below: place.limit), patience)
        case .multiLock: return multiLock(id, place, patience, &world)
        case .workerSlots: return workerSlot(id, place, patience)
        case .counter: return addition(place, &world)
        case .group: return membership(place, patience, &world)
        case .queue, .boundedQueue: return queueing(id, place, patience, &world)
        case .doubleBarrier: return doubleBarrier(id, place)
        case .countBarrier: return countBarrier(id, place)
        case .gate: return gate(place, &world)
        case .latch: return latch(id, place, &world)
        case .configuration: return publication(place, &world)
        case .configurationSet:
            return ConfigurationSetJob(
                place.path, isReader: world.random.chance(perMille: 400), session: session.session,
                seed: world.random.next(), planted: planted)
        case .mirror: return growth(place, &world)
        case .commands: return order(id, place, &world)
        case .services: return meddling(place, &world)
        // Members and candidates are at places of their own.
        case .partition: return nil
        }
    }

    // MARK: Locks

    private func contender(
        _ id: AttemptID, _ place: Scenario.Place, _ kind: ContenderKind, _ patience: AttemptPatience
    ) -> any Job {
        ContenderJob(
            at: place.path, kind, attempt: id, delay: place.delay, session: session.session, patience: patience,
            planted: planted)
    }

    private func semaphore(
        _ id: AttemptID, _ place: Scenario.Place, permits: Int, _ patience: AttemptPatience
    ) -> any Job {
        let limit = planted == .takesLeaseTooMany ? place.limit + 1 : place.limit
        let plan = SemaphorePlan(path: place.path, limit: .fixed(limit), permits: permits)
        let machine = SemaphoreMachine(plan, attempt: id, session: session.session, patience: patience)
        return StepJob(machine, session: session.session, planted: planted) { output in
            guard case .granted(let leases) = output, let first = leases.paths.first else { return .ended(.busy) }
            return .hold(
                Holding(
                    path: place.path, node: first, others: Array(leases.paths.dropFirst()), token: leases.czxid,
                    isShared: true, removal: .byName))
        }
    }

    /// Some of the locks, at least one, in their order.
    private func multiLock(
        _ id: AttemptID, _ place: Scenario.Place, _ patience: AttemptPatience, _ world: inout World
    ) -> any Job {
        var paths = place.members.filter { _ in world.random.chance(perMille: 600) }
        if paths.isEmpty { paths = [place.members[world.random.index(below: place.members.count)]] }
        let members = paths.map {
            MultiLockMachine.Member(path: $0, word: ContenderKind.lock.rawValue, isShared: false)
        }
        let machine = MultiLockMachine(members, attempt: id, session: session.session, patience: patience)
        return StepJob(machine, session: session.session, planted: planted) { [paths] output in
            guard case .granted(let nodes, let czxid) = output, let first = nodes.first else { return .ended(.busy) }
            return .hold(
                Holding(
                    path: place.path, node: first, others: Array(nodes.dropFirst()), token: czxid, isShared: false,
                    removal: .byName, resources: paths))
        }
    }

    // MARK: Names and numbers

    private func workerSlot(_ id: AttemptID, _ place: Scenario.Place, _ patience: AttemptPatience) -> any Job {
        let slots = place.parents[0]
        let machine = WorkerSlotMachine(
            at: slots, count: place.limit, attempt: id, session: session.session, identity: [], patience: patience)
        return StepJob(machine, session: session.session, planted: planted) { slot in
            guard let slot else { return .ended(.busy) }
            return .hold(
                Holding(
                    path: place.path, node: slots + "/" + slot.name, token: slot.czxid, isShared: false,
                    removal: .byName, resources: ["\(slots)#\(slot.number)"]))
        }
    }

    /// Each addition has an amount of its own, by which it is known in the counter's history.
    private mutating func addition(_ place: Scenario.Place, _ world: inout World) -> any Job {
        let number = journal.additions.count
        let amount = Int64(truncatingIfNeeded: world.random.next() >> 24) | 1
        journal.additions.append(.init(path: place.path, amount: amount))
        let machine = CounterMachine(.add(amount), at: place.path, seed: world.random.next())
        return StepJob(machine, session: session.session, planted: planted) { .counted(number, $0) }
    }

    /// - Returns: `nil` if this client is a member under that name, or about to be: then it must not be one again.
    private mutating func membership(
        _ place: Scenario.Place, _ patience: AttemptPatience, _ world: inout World
    ) -> (any Job)? {
        let name = "m\(world.random.index(below: place.limit))"
        let node = place.path + "/" + name
        let isTaken =
            liveHolds.contains { journal.holds[$0].holding.node == node }
            || jobs.contains { ($0.job as? StepJob<JoinMachine>)?.subject == node }
        guard !isTaken else { return nil }
        let machine = JoinMachine(
            parent: place.path, name: name, data: [], session: session.session, patience: patience,
            after: session.machine.lastZxidSeen)
        var job = StepJob(machine, session: session.session, planted: planted) { czxid in
            var holding = Holding(
                path: place.path, node: node, token: czxid, isShared: false, removal: .ifOwn, resources: [node])
            holding.endsWithWindow = false
            return .hold(holding)
        }
        job.subject = node
        return job
    }
}

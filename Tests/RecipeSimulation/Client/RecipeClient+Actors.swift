import ConclaveClient
import ConclaveCore
import ConclaveSession
import ConclaveSimulator
import Recipes

/// What actors do: attempt, hold, use, release.
extension RecipeClient {
    /// An actor's moment may have come.
    mutating func step(_ actor: Int, _ world: inout World) {
        let now = world.now
        switch actors[actor] {
        case .resting(let until):
            guard now >= until, !isFinishing else { return }
            attempt(actor, &world)
        case .attempting(let job, let until, let byDeadline):
            guard now >= until else { return }
            if jobs.first(where: { $0.number == job })?.job.isUninterruptible == true {
                let later = now.advanced(byMilliseconds: 5)
                actors[actor] = .attempting(job: job, until: later, byDeadline: byDeadline)
                return
            }
            journal.withdrawn += 1
            actors[actor] = .attempting(job: job, until: .distantFuture, byDeadline: byDeadline)
            withdraw(job, byDeadline ? .deadlinePassed : .cancelled, &world)
        case .holding(let hold, let until, let nextUse):
            if now >= until {
                guard !handsOver(hold, &world) else {
                    actors[actor] = .holding(hold: hold, until: .distantFuture, nextUse: .distantFuture)
                    break
                }
                release(hold, &world)
                rest(actor, &world)
            } else if now >= nextUse {
                let pace = 1 + world.random.below(max(2, scenario.holdMilliseconds / 2))
                actors[actor] = .holding(hold: hold, until: until, nextUse: now.advanced(byMilliseconds: pace))
                if world.random.chance(perMille: scenario.usesPerMille) { use(hold, &world) }
            }
        }
        drainInbox(&world)
    }

    mutating func rest(_ actor: Int, _ world: inout World) {
        let pause = 1 + world.random.below(scenario.restMilliseconds * 2)
        actors[actor] = .resting(until: world.now.advanced(byMilliseconds: pause))
    }

    mutating func attemptEnded(_ actor: Int, _ outcome: Outcome, _ world: inout World) {
        guard case .hold(let holding) = outcome else { return rest(actor, &world) }
        // Whatever the new hold excludes must have gone in the store: told before the grant (S9).
        for earlier in liveHolds {
            let other = journal.holds[earlier].holding
            if holding.excludes(other) { lose(earlier, .nodeRemoved, &world) }
        }
        let hold = journal.holds.count
        journal.holds.append(
            .init(
                holding: holding, process: journal.process, session: session.session, seenAt: session.lastAnswer,
                grantedAt: world.time, moment: world.moment()))
        world.note("holds \(holding.node), token \(holding.token)")
        liveHolds.append(hold)
        believedUntil = .start
        believe(&world)
        let length = 1 + world.random.below(isFinishing ? 20 : scenario.holdMilliseconds * 2)
        let until = world.now.advanced(byMilliseconds: length)
        actors[actor] = .holding(hold: hold, until: until, nextUse: world.now)
        start(HoldWatchJob(holding: holding), .lookOut(hold), &world)
        beginDuty(hold, &world)
        // The window may have closed since the answer that led to the grant.
        if holding.endsWithWindow, !isWindowOpen(world), planted != .forgetsLapse, planted != .ignoresWindow {
            lose(hold, .windowLapsed, &world)
        }
    }

    // MARK: Holding

    /// Until when this client believes in its session.
    var validUntil: Instant {
        let until = session.machine.validUntil
        return planted == .countsHoldFromAnswer && until > .start
            ? until.advanced(byMilliseconds: bonusMilliseconds) : until
    }

    /// Notes what holders may believe from now on: until the window ends by the own clock, asleep or awake.
    mutating func believe(_ world: inout World) {
        if planted == .countsHoldFromAnswer { countFromAnswer(world) }
        let until = validUntil
        guard until != believedUntil, !liveHolds.isEmpty else { return }
        believedUntil = until
        let end = planted == .forgetsLapse ? .max : world.trueTime(of: until)
        for hold in liveHolds where journal.holds[hold].holding.endsWithWindow && !handingOver.contains(hold) {
            if let last = journal.holds[hold].beliefs.indices.last,
                journal.holds[hold].beliefs[last].until >= world.time
            {
                journal.holds[hold].beliefs[last].until = end
            } else if end > world.time {
                journal.holds[hold].beliefs.append(.init(from: world.time, until: end))
            }
        }
    }

    private mutating func countFromAnswer(_ world: borrowing World) {
        let until = session.machine.validUntil
        guard until.advanced(byMilliseconds: bonusMilliseconds) <= world.now || until > believedUntil else { return }
        let full = world.now.advanced(byMilliseconds: Int64(session.machine.timeoutMilliseconds) * 19 / 20)
        bonusMilliseconds = max(0, full.milliseconds(since: until))
    }

    mutating func lapsed(_ world: inout World) {
        guard planted != .forgetsLapse, !isWindowOpen(world) else { return }
        for hold in liveHolds where journal.holds[hold].holding.endsWithWindow { lose(hold, .windowLapsed, &world) }
    }

    /// A hold has ended without being given up.
    mutating func lose(_ hold: Int, _ loss: HoldLoss, _ world: inout World) {
        guard liveHolds.contains(hold) else { return }
        endHold(hold, .lost(loss), &world)
        if planted == .tellsLossTwice, loss == .windowLapsed { endHold(hold, .lost(.sessionOver), &world) }
        liveHolds.removeAll { $0 == hold }
        end(lookOutOf: hold, &world)
        // The session may live on: without this the node would stand in everybody's way.
        if loss == .windowLapsed { remove(hold, isLost: true, &world) }
        for actor in actors.indices {
            if case .holding(hold, _, _) = actors[actor] { rest(actor, &world) }
        }
    }

    mutating func release(_ hold: Int, _ world: inout World) {
        guard liveHolds.contains(hold) else { return }
        endHold(hold, .released, &world)
        liveHolds.removeAll { $0 == hold }
        end(lookOutOf: hold, &world)
        let finishing = finishing(journal.holds[hold].holding)
        guard !finishing.isEmpty, world.random.chance(perMille: 700) else {
            return remove(hold, isLost: false, &world)
        }
        // The work on an item of a queue is done; before it says so the consumer may stall.
        let stalls = world.random.chance(perMille: 300)
        let pause = stalls ? Duration.milliseconds(world.random.magnitude(1...2_000)) : nil
        start(CleaningJob(finishing, isAtomic: true, after: pause, planted: planted), .background, &world)
    }

    private mutating func remove(_ hold: Int, isLost: Bool, _ world: inout World) {
        let held = journal.holds[hold]
        start(held.holding.cleaning(held.session, isLost: isLost, planted: planted), .background, &world)
    }

    /// Told to whoever holds.
    mutating func endHold(_ hold: Int, _ ending: RecipeJournal.Ending, _ world: inout World) {
        world.note("hold \(journal.holds[hold].holding.node): \(ending)")
        journal.holds[hold].endings.append((ending, world.moment()))
        stopBelieving(hold, world)
    }

    /// From now on nobody acts as holder.
    mutating func stopBelieving(_ hold: Int, _ world: borrowing World) {
        guard let last = journal.holds[hold].beliefs.indices.last else { return }
        journal.holds[hold].beliefs[last].until = min(journal.holds[hold].beliefs[last].until, world.time)
    }

    // MARK: Using

    /// Does what only a holder may do, if this one still believes that it holds.
    private mutating func use(_ hold: Int, _ world: inout World) {
        guard liveHolds.contains(hold), isWindowOpen(world) || planted == .forgetsLapse else { return }
        let holding = journal.holds[hold].holding
        guard let place = scenario.places.first(where: { $0.path == holding.path }), place.family.isFenced else {
            return
        }
        let token = Self.bytes(holding.token)
        // Between looking whether one holds and writing, a thread may stall for as long as it likes.
        let stalls = world.random.chance(perMille: 300)
        let after = stalls ? Duration.milliseconds(world.random.magnitude(1...2_000)) : nil
        switch world.random.below(3) {
        case 0:
            let guards = planted == .writesUnguarded ? [] : holding.guards
            let write = guards + [.setData(place.guardedOutput, token)]
            start(SingleRequestJob(request: .write(write), after: after), .effect, &world)
        case 1:
            start(
                SingleRequestJob(request: .write([.setData(place.bareOutput, token)]), after: after), .effect, &world)
        default:
            // Something outside, which takes its time.
            let arrival = world.time + world.random.magnitude(1...2_000) * 1_000_000
            journal.uses.append(.init(path: holding.path, token: holding.token, arrival: arrival))
        }
    }

    func effectEnded(_ outcome: Outcome, _ world: inout World) {
        if case .refused(let code, let path) = outcome { world.note("a write was refused: \(code), \(path ?? "")") }
    }

    private static func bytes(_ zxid: Zxid) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeInt64(zxid.rawValue)
        return writer.bytes
    }
}

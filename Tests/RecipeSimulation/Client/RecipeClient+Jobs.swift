import ConclaveClient
import ConclaveCore
import ConclaveSession
import ConclaveSimulator
import ConclaveWire
import Recipes

/// Running jobs: their requests, waits and watches.
extension RecipeClient {
    /// - Returns: the job's number.
    @discardableResult
    mutating func start(_ job: any Job, _ purpose: RunningJob.Purpose, _ world: inout World) -> Int {
        if let disowning = job as? DisowningJob, isDisowning(disowning.path) {
            // As `PathTurns`: who looks whose a node is and deletes it is not overtaken by another of this client.
            disownings.append(disowning)
            return nextJob
        }
        nextJob += 1
        jobs.append(RunningJob(number: nextJob, purpose: purpose, job: job))
        inbox.append((nextJob, .start))
        return nextJob
    }

    private func isDisowning(_ path: String) -> Bool { jobs.contains { ($0.job as? DisowningJob)?.path == path } }

    private mutating func passTurn(after job: any Job, _ world: inout World) {
        guard let path = (job as? DisowningJob)?.path,
            let next = disownings.firstIndex(where: { $0.path == path })
        else { return }
        start(disownings.remove(at: next), .background, &world)
    }

    private func index(of number: Int) -> Int? { jobs.firstIndex { $0.number == number } }

    /// Tells jobs what there is to tell until nothing is left.
    mutating func drainInbox(_ world: inout World) {
        while let (number, event) = inbox.popFirst() {
            guard let index = index(of: number) else { continue }
            if case .changed(let path) = event, let contender = jobs[index].job as? ContenderJob,
                contender.ownNode != path
            {
                journal.wakeUps.append(.init(path: path, attempt: number, isShared: contender.kind.isShared))
            }
            let (job, purpose) = (number, jobs[index].purpose)
            world.note("job \(job), \(purpose): \(event)")
            for action in jobs[index].job.handle(event) {
                world.note("job \(job) orders \(action)")
                perform(action, of: number, &world)
            }
        }
    }

    private mutating func perform(_ action: JobAction, of number: Int, _ world: inout World) {
        guard let index = index(of: number) else { return }
        switch action {
        case .request(let request): ask(request, index, &world)
        case .wait(let limit):
            if let fired = jobs[index].watches.firstIndex(where: \.hasFired) {
                let path = jobs[index].watches.remove(at: fired).path
                inbox.append((number, .changed(path)))
            } else {
                let until = limit.map { world.now.advanced(byMilliseconds: $0.wholeMilliseconds) }
                jobs[index].standing = .waiting(until: until)
            }
        case .awaitConnection:
            if session.isEstablished {
                inbox.append((number, .connected))
            } else if case .over(let end) = session.machine.status {
                inbox.append((number, .sessionOver(end.code)))
            } else {
                jobs[index].standing = .awaitingConnection
            }
        case .background(let job): start(job, .background, &world)
        case .tell(let outcome): told(outcome)
        case .finish(let outcome): finished(index, outcome, &world)
        }
    }

    private mutating func finished(_ index: Int, _ outcome: Outcome, _ world: inout World) {
        let job = jobs.remove(at: index)
        passTurn(after: job.job, &world)
        for watch in job.watches where !watch.hasFired { session.drop(watch.watcher, &world) }
        told(outcome)
        switch job.purpose {
        case .attempt(let actor): attemptEnded(actor, outcome, &world)
        case .lookOut(let hold): if case .nodeGone = outcome { lose(hold, .nodeRemoved, &world) }
        case .effect: effectEnded(outcome, &world)
        case .handOver(let hold): handedOver(hold, outcome, &world)
        case .lastLook: looked(outcome)
        case .background, .following, .duty: break
        }
    }

    /// Takes a job out of whatever it waits for and tells it so.
    mutating func withdraw(_ number: Int, _ event: StepEvent, _ world: inout World) {
        guard let index = index(of: number) else { return }
        if case .requesting(let pending) = jobs[index].standing {
            for part in pending.parts where part.result == nil { session.cancel(part.id) }
        }
        jobs[index].standing = .acting
        inbox.append((number, event))
    }

    /// Ends what goes on for as long as a hold.
    mutating func end(lookOutOf hold: Int, _ world: inout World) {
        let numbers = jobs.compactMap { job in
            switch job.purpose {
            case .lookOut(hold), .duty(hold): job.number
            default: nil
            }
        }
        for number in numbers { withdraw(number, .cancelled, &world) }
    }

    // MARK: Requests

    private mutating func ask(_ request: StepRequest, _ index: Int, _ world: inout World) {
        var pending = RunningJob.Pending(request: request, parts: [])
        if case .makeParents(let path, _) = request { pending.parents = [path] }
        for (wire, path, kind) in RunningJob.Pending.opening(request) {
            guard let (id, watcher) = session.submit(wire, watching: kind, &world) else {
                return refused(index, pending)
            }
            var watch: (kind: WatcherKind, watcher: WatcherID)?
            if let kind, let watcher { watch = (kind, watcher) }
            pending.parts.append(.init(id: id, path: path, watch: watch, result: nil))
        }
        // No nodes to ask for are an answer too.
        if pending.parts.isEmpty {
            inbox.append((jobs[index].number, .answered(.dataOfMany([]), isWindowOpen: isWindowOpen(world))))
            return
        }
        jobs[index].standing = .requesting(pending)
    }

    /// The session takes nothing more: it is over or about to be.
    private mutating func refused(_ index: Int, _ pending: RunningJob.Pending) {
        for part in pending.parts { session.cancel(part.id) }
        var code = ZooKeeperError.Code.closed
        if case .over(let end) = session.machine.status { code = end.code }
        inbox.append((jobs[index].number, .sessionOver(code)))
    }

    func isWindowOpen(_ world: borrowing World) -> Bool { world.now < validUntil }

    mutating func completed(_ id: RequestID, _ outcome: RequestOutcome, _ world: inout World) {
        for index in jobs.indices {
            guard case .requesting(var pending) = jobs[index].standing,
                let part = pending.parts.firstIndex(where: { $0.id == id && $0.result == nil })
            else { continue }
            switch outcome {
            case .failed(let failure): return failed(index, pending, failure.code, &world)
            case .refused(let code):
                if case .makeParents = pending.request {
                    return madeParent(index, pending, code, &world)
                }
                guard pending.takesForMissing(code) else { return failed(index, pending, code, &world) }
                pending.parts[part].result = .missing
            case .reply(let body):
                if case .makeParents = pending.request { return madeParent(index, pending, .ok, &world) }
                pending.parts[part].result = .body(body)
            }
            jobs[index].standing = .requesting(pending)
            if pending.parts.allSatisfy({ $0.result != nil }) { answered(index, pending, &world) }
            return
        }
    }

    private mutating func answered(_ index: Int, _ pending: RunningJob.Pending, _ world: inout World) {
        switch pending.answer() {
        case .event(let answer):
            arm(index, pending, &world)
            jobs[index].standing = .acting
            inbox.append((jobs[index].number, .answered(answer, isWindowOpen: isWindowOpen(world))))
        case .refusal(let code, let path):
            jobs[index].standing = .acting
            inbox.append((jobs[index].number, .failed(code, at: path)))
        }
    }

    private mutating func failed(
        _ index: Int, _ pending: RunningJob.Pending, _ code: ZooKeeperError.Code, _ world: inout World
    ) {
        for part in pending.parts where part.result == nil { session.cancel(part.id) }
        for part in pending.parts where part.result != nil {
            if let watch = part.watch { session.drop(watch.watcher, &world) }
        }
        jobs[index].standing = .acting
        let event = code.endsSession ? StepEvent.sessionOver(code) : .failed(code, at: pending.parts.first?.path)
        inbox.append((jobs[index].number, event))
    }

    /// One round of `Parents.make`.
    private mutating func madeParent(
        _ index: Int, _ before: RunningJob.Pending, _ code: ZooKeeperError.Code, _ world: inout World
    ) {
        var pending = before
        guard case .makeParents(_, let mode) = pending.request, let made = pending.parents.last else { return }
        switch code {
        case .ok, .nodeExists: pending.parents.removeLast()
        case .noNode:
            guard let parent = NodePath(made).parent, parent != .root else {
                return failed(index, pending, code, &world)
            }
            pending.parents.append(parent.text)
        default: return failed(index, pending, code, &world)
        }
        guard let next = pending.parents.last else {
            jobs[index].standing = .acting
            inbox.append((jobs[index].number, .answered(.done, isWindowOpen: isWindowOpen(world))))
            return
        }
        guard let (id, _) = session.submit(WireForm.request(.create(next, [], mode: mode)), &world) else {
            return refused(index, pending)
        }
        pending.parts = [.init(id: id, path: next, watch: nil, result: nil)]
        jobs[index].standing = .requesting(pending)
    }

    // MARK: Watches

    private mutating func arm(_ index: Int, _ pending: RunningJob.Pending, _ world: inout World) {
        for part in pending.parts {
            guard let (kind, watcher) = part.watch else { continue }
            if case .missing = part.result, kind != .existence { continue }
            if let old = jobs[index].watches.firstIndex(where: { $0.kind == kind && $0.path == part.path }) {
                let earlier = jobs[index].watches.remove(at: old)
                if !earlier.hasFired { session.drop(earlier.watcher, &world) }
            }
            jobs[index].watches.append(.init(kind: kind, path: part.path, watcher: watcher))
        }
    }

    mutating func fired(_ watcher: WatcherID) {
        for index in jobs.indices {
            guard let place = jobs[index].watches.firstIndex(where: { $0.watcher == watcher }) else { continue }
            guard case .waiting = jobs[index].standing else {
                jobs[index].watches[place].hasFired = true
                return
            }
            let path = jobs[index].watches.remove(at: place).path
            jobs[index].standing = .acting
            inbox.append((jobs[index].number, .changed(path)))
            return
        }
    }

    mutating func watchEnded(_ watcher: WatcherID, _ code: ZooKeeperError.Code) {
        for index in jobs.indices {
            guard let place = jobs[index].watches.firstIndex(where: { $0.watcher == watcher }) else { continue }
            jobs[index].watches.remove(at: place)
            guard case .waiting = jobs[index].standing else { return }
            jobs[index].standing = .acting
            inbox.append((jobs[index].number, code.endsSession ? .sessionOver(code) : .failed(code, at: nil)))
            return
        }
    }
}

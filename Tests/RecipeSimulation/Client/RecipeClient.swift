import ClusterSimulation
import ConclaveCore
import ConclaveSession
import ConclaveSimulator
import Recipes

/// A client that uses recipes: their real machines on the real session machine.
///
/// ```
/// actor  rests ─► attempts (a job) ─► holds, writes, looks out ─► releases ─► rests …
///                    └─ withdrawn by deadline or cancellation, at random
/// job    machine of a recipe, its requests, its watches; clean-up goes on in jobs of its own
/// ```
///
/// When its session is over everything that went on in it ends, and it begins another one.
package struct RecipeClient: SimulatedClient {
    package typealias Model = TreeModel<[UInt8]>

    package struct Setup: Sendable {
        package var families: [RecipeFamily]
        package var planted: RecipeBug?
        /// Another one than the seed's.
        package var scenario: Scenario?

        package init(
            families: [RecipeFamily] = RecipeFamily.allCases, planted: RecipeBug? = nil, scenario: Scenario? = nil
        ) {
            self.families = families
            self.planted = planted
            self.scenario = scenario
        }
    }

    /// One of the things that the client does at a time.
    enum Actor: Sendable {
        case resting(until: Instant)
        /// Until it is withdrawn, if it is to be.
        case attempting(job: Int, until: Instant, byDeadline: Bool)
        case holding(hold: Int, until: Instant, nextUse: Instant)
    }

    let planted: RecipeBug?
    let scenario: Scenario
    var session: RecipeSession
    package internal(set) var journal: RecipeJournal
    var actors: [Actor] = []
    var jobs: [RunningJob] = []
    /// Those that wait for another one of the same path.
    var disownings: [DisowningJob] = []
    var nextJob = 0
    /// What jobs are to be told, in order.
    var inbox = RingBuffer<(job: Int, event: StepEvent)>()
    /// Holds that have not ended: their places in the journal.
    var liveHolds: [Int] = []
    /// Those of them that are being handed over: nobody acts as holder any more.
    var handingOver: [Int] = []
    /// What the window was last time.
    var believedUntil = Instant.start
    /// Only with a bug.
    var bonusMilliseconds: Int64 = 0
    var sessionEndsAt = Instant.start
    var nextBeat = Instant.start
    /// The nodes to write to have been made in this session.
    var isPrepared = false
    var isFinishing = false
    /// Those of queues that nobody uses now.
    var queueMarks: [QueueMark] = []
    /// Jobs that are there only so that others need not wait any longer.
    var companions: [Int] = []

    package var record: ClientRecord<Model.Request, Model.Response, Model.WatchKey> { session.record }
    package var answeredWrites: Int { session.answeredWrites }
    /// How often it has come to hold something.
    package var grants: Int { journal.holds.count }

    package init(_ setup: Setup, world: inout World) {
        planted = setup.planted
        scenario = setup.scenario ?? Scenario(world.options, families: setup.families)
        journal = RecipeJournal(process: world.process, scenario: scenario)
        session = RecipeSession(timeoutMilliseconds: Int32(world.random.between(400...4_000)), &world)
        begin(&world)
        act(&world)
    }

    /// Begins a session; nothing of an earlier one goes on.
    private mutating func begin(_ world: inout World) {
        jobs = []
        disownings = []
        inbox = RingBuffer()
        liveHolds = []
        handingOver = []
        believedUntil = .start
        isPrepared = false
        journal.lastLook = nil
        queueMarks = []
        companions = []
        actors = (0..<scenario.actors).map { _ in
            .resting(until: world.now.advanced(byMilliseconds: world.random.below(scenario.restMilliseconds * 2)))
        }
        sessionEndsAt = .distantFuture
        if let longest = scenario.sessionMilliseconds {
            sessionEndsAt = world.now.advanced(byMilliseconds: 500 + world.random.magnitude(500...longest))
        }
        session.begin(&world)
    }

    // MARK: The end

    package mutating func finish(world: inout World) {
        isFinishing = true
        for actor in actors.indices {
            switch actors[actor] {
            case .resting: break
            // From now on everybody must get what is waited for.
            case .attempting(let job, _, let byDeadline):
                actors[actor] = .attempting(job: job, until: .distantFuture, byDeadline: byDeadline)
            case .holding(let hold, let until, let nextUse):
                let soon = world.now.advanced(byMilliseconds: 10)
                actors[actor] = .holding(hold: hold, until: min(until, soon), nextUse: nextUse)
            }
        }
        feedThoseWhoWait(&world)
        act(&world)
    }

    package var isFinished: Bool {
        isFinishing && session.isEstablished && journal.lastLook != nil && isAtRest
    }

    package var unfinished: String {
        let waiting = jobs.map(\.whereabouts)
        return waiting.isEmpty ? "has no session" : waiting.joined(separator: "; ")
    }

    // MARK: Time

    package var nextDeadline: Instant {
        mutating get {
            var next = session.machine.nextDeadline
            for job in jobs { if let deadline = job.deadline { next = min(next, deadline) } }
            guard session.session != .none else { return next }
            if !isFinishing { next = min(next, sessionEndsAt) }
            if session.isEstablished, !isFinishing || isAnyoneToBeFed { next = min(next, nextBeat) }
            for actor in actors {
                switch actor {
                case .resting(let until): if !isFinishing { next = min(next, until) }
                case .attempting(_, let until, _): next = min(next, until)
                case .holding(_, let until, let nextUse): next = min(next, min(until, nextUse))
                }
            }
            return next
        }
    }

    package mutating func tick(world: inout World) {
        session.tick(&world)
        takeNews(&world)
        let now = world.now
        for index in jobs.indices {
            guard let deadline = jobs[index].deadline, deadline <= now else { continue }
            jobs[index].standing = .acting
            inbox.append((jobs[index].number, .elapsed))
        }
        drainInbox(&world)
        // Also without a connection: people withdraw and release whenever they like.
        if session.session != .none {
            endSessionInTime(&world)
            for actor in actors.indices { step(actor, &world) }
            if session.isEstablished { beat(&world) }
        }
        act(&world)
    }

    /// Ends the session in order, after its time, whoever holds.
    private mutating func endSessionInTime(_ world: inout World) {
        guard world.now >= sessionEndsAt, !isFinishing else { return }
        sessionEndsAt = .distantFuture
        for hold in liveHolds { lose(hold, .sessionOver, &world) }
        session.close(&world)
        takeNews(&world)
    }

    // MARK: Links

    package mutating func dialled(_ link: Link, world: inout World) {
        session.dialled(link, &world)
        act(&world)
    }

    package mutating func dialFailed(_ link: Link, world: inout World) { closed(link, world: &world) }

    package mutating func closed(_ link: Link, world: inout World) {
        session.closed(link, &world)
        act(&world)
    }

    package mutating func received(_ bytes: Span<UInt8>, on link: Link, world: inout World) {
        session.received(bytes, on: link, &world)
        act(&world)
    }

    /// Does whatever has become due by the last event, and sends.
    mutating func act(_ world: inout World) {
        drainInbox(&world)
        takeNews(&world)
        if case .over = session.machine.status {
            begin(&world)
            drainInbox(&world)
            takeNews(&world)
        }
        gather(&world)
        lookOnce(&world)
        believe(&world)
        session.send(&world)
        journal.session = session.isEstablished ? session.session : journal.session
    }

    /// Hears everything that the session has to say, and lets jobs act on it, until nothing is left.
    private mutating func takeNews(_ world: inout World) {
        while let news = session.takeNews(&world) {
            believe(&world)
            switch news {
            case .completed(let id, let outcome): completed(id, outcome, &world)
            case .fired(let watcher, _): fired(watcher)
            case .watchEnded(let watcher, let code): watchEnded(watcher, code)
            case .changed(let status): changed(status, &world)
            case .holdLapsed: lapsed(&world)
            }
            drainInbox(&world)
        }
    }

    private mutating func changed(_ status: SessionStatus, _ world: inout World) {
        switch status {
        case .connected, .reconnected, .readOnly:
            for index in jobs.indices {
                guard case .awaitingConnection = jobs[index].standing else { continue }
                jobs[index].standing = .acting
                inbox.append((jobs[index].number, .connected))
            }
            prepare(&world)
        case .over(let end):
            for hold in liveHolds { endHold(hold, .lost(.sessionOver), &world) }
            liveHolds = []
            for index in jobs.indices {
                switch jobs[index].standing {
                case .requesting, .acting: continue
                case .waiting, .awaitingConnection:
                    jobs[index].standing = .acting
                    inbox.append((jobs[index].number, .sessionOver(end.code)))
                }
            }
        case .connecting, .suspended: break
        }
    }

    /// Makes the nodes that holders write to.
    private mutating func prepare(_ world: inout World) {
        guard !isPrepared else { return }
        isPrepared = true
        for path in scenario.places.flatMap(\.outputs) + [Self.beatPath] {
            start(SingleRequestJob(request: .makeParents(path, .persistent)), .background, &world)
        }
        follow(&world)
    }

    static var beatPath: String { "/out/beat" }

    /// A write now and then, so that the session is proven and healing is noticed, also while all wait.
    private mutating func beat(_ world: inout World) {
        guard world.now >= nextBeat else { return }
        nextBeat = world.now.advanced(byMilliseconds: 500)
        guard !isFinishing else {
            if isAnyoneToBeFed { feedThoseWhoWait(&world) }
            return
        }
        start(SingleRequestJob(request: .write([.setData(Self.beatPath, [])])), .background, &world)
    }
}

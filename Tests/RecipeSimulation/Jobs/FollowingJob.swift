import ConclaveClient
import ConclaveCore
import ConclaveSimulator
import Recipes

/// Follows a group for as long as its session lives: the real `RosterMachine`, started again after each change.
struct FollowingJob: Job {
    let path: String
    private var machine: RosterMachine
    private var meddler: Meddler

    init(_ path: String, session: SessionID, planted: RecipeBug?) {
        self.path = path
        machine = RosterMachine(path: path)
        meddler = Meddler(planted, session: session)
    }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        var actions: [JobAction] = []
        for action in machine.handle(meddler.changed(event)) {
            switch action {
            case .request(let request): actions.append(.request(meddler.changed(request)))
            case .wait(let limit): actions.append(.wait(upTo: limit))
            case .awaitConnection: actions.append(.awaitConnection)
            case .finish(let change): actions += [.tell(.pictured(path, change))] + handle(.start)
            case .fail(let failure): actions.append(.finish(.refused(failure.code, at: failure.path)))
            case .clean, .sweep, .disown: preconditionFailure("who follows leaves nothing behind")
            }
        }
        return actions
    }
}

extension RecipeClient {
    /// Follows every group, value and tree from the beginning of a session.
    mutating func follow(_ world: inout World) {
        for place in scenario.places {
            let (path, session) = (place.path, session.session)
            switch place.family {
            case .group: start(FollowingJob(path, session: session, planted: planted), .following, &world)
            case .configuration: start(SubscribingJob(path, session: session, planted: planted), .following, &world)
            case .commands:
                let (name, seed) = (commandName, world.random.next())
                let job = CommandJob(path, as: name, session: session, seed: seed, planted: planted)
                start(job, .following, &world)
            case .services:
                let (name, seed) = ("/s\(world.random.index(below: place.limit))", world.random.next())
                let job = RegistrationJob(at: path + name, session: session, seed: seed, planted: planted)
                start(job, .following, &world)
            case .mirror: start(MirrorJob(path, session: session, planted: planted), .following, &world)
            default: break
            }
        }
    }

    mutating func told(_ outcome: Outcome) {
        switch outcome {
        case .pictured(let path, let change):
            journal.pictures.append(
                .init(path: path, session: session.session, members: change.members, seenAt: session.lastAnswer))
        case .counted(let number, let output): journal.additions[number].output = output
        case .published(let number, let stat): journal.publications[number].stat = stat
        case .sighted(let path, let sighting):
            journal.sightings.append(.init(path: path, session: session.session, sighting: sighting))
        case .snapshot(let path, let reading):
            if let reading { journal.snapshots.append(.init(path: path, reading: reading)) }
        case .switching(let path, let values, let base):
            journal.switches.append(.init(path: path, values: values, base: base))
        case .switched(let path, let output): switched(path, output)
        case .registration(let path, let output):
            journal.registrations[path] = output == .created ? session.session : nil
        case .ordered(let number, let sequence): journal.orders[number].number = sequence
        case .commanded(let path, let command):
            journal.commands.append(.init(path: path, number: command.number, isRepeated: command.isRepeated))
        case .mirrored(let path, let changes):
            journal.copies.append(
                .init(path: path, session: session.session, changes: changes, seenAt: session.lastAnswer))
        case .queued(let report): settle(report)
        case .entered, .left, .passed: passed(outcome)
        case .waited, .countedDown: waited(outcome)
        case .hold, .ended, .answered, .refused, .nodeGone, .done, .fetched, .tried, .worthLooking, .full, .handedOver:
            break
        }
    }

    private mutating func switched(_ path: String, _ output: SwitchMachine.Output) {
        guard case .published(let reading, _) = output,
            let attempt = journal.switches.lastIndex(where: { $0.path == path && $0.values == reading.values })
        else { return }
        journal.switches[attempt].published = reading.pointer.mzxid
    }

    /// Whether nothing is left to do but to follow, and nothing is left to be told.
    var isAtRest: Bool {
        for job in jobs {
            guard case .following = job.purpose, case .waiting(until: nil) = job.standing,
                !job.watches.contains(where: \.hasFired)
            else { return false }
        }
        return actors.allSatisfy { if case .resting = $0 { true } else { false } }
    }

    /// At the end asks for the newest state, so that whatever there was to be told until then has been told.
    mutating func lookOnce(_ world: inout World) {
        guard isFinishing, journal.lastLook == nil, session.isEstablished, isAtRest else { return }
        start(SingleRequestJob(request: .sync(Self.beatPath)), .lastLook, &world)
        drainInbox(&world)
    }

    mutating func looked(_ outcome: Outcome) {
        if case .answered = outcome { journal.lastLook = session.lastAnswer }
    }
}

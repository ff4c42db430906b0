import ConclaveClient
import ConclaveCore
import Recipes

/// One thing that a client does, as a machine: an attempt, a look-out, a clean-up. The events are those of recipes.
protocol Job: Sendable {
    mutating func handle(_ event: StepEvent) -> [JobAction]
    /// Nobody's impatience stops what it is about to do.
    var isUninterruptible: Bool { get }
}

extension Job {
    var isUninterruptible: Bool { false }
}

/// What a job asks of the client that runs it; as `StepAction`, with its background work spelled out.
enum JobAction: Sendable {
    case request(StepRequest)
    case wait(upTo: Duration?)
    case awaitConnection
    /// Runs beside, until it is done or the session is over, whatever becomes of this job.
    case background(any Job)
    /// Goes on.
    case tell(Outcome)
    case finish(Outcome)
}

/// What comes of a job.
enum Outcome: Sendable {
    case hold(Holding)
    /// An attempt that led to nothing.
    case ended(AttemptEnding)
    case answered(StepAnswer)
    /// An addition to a counter has been made, or its comparison has failed.
    case counted(Int, CounterMachine.Output)
    /// How the group looks now.
    case pictured(String, GroupChange)
    /// A publication has been made; a revision has been seen; a copy of a tree has changed.
    case published(Int, Stat)
    case sighted(String, Sighting)
    case mirrored(String, [MirrorMachine.Action])
    /// A set of values has been read; is about to be changed, made of what one transaction had published; has been, or not.
    case snapshot(String, SnapshotMachine.Reading?)
    case switching(String, [String: [UInt8]], over: Zxid)
    case switched(String, SwitchMachine.Output)
    /// An instance stands, or is another session's.
    case registration(String, RegistrationMachine.Output)
    /// A command has been published, with its number; one has been given out.
    case ordered(Int, Int32)
    case commanded(String, Command)
    /// Steps of a job with a queue.
    case fetched(QueueFetched)
    case tried(QueueTakeMachine.Output)
    case worthLooking
    /// There was no room for an item; with the mark that can be used again.
    case full(QueueMark)
    case queued(QueueReport)
    /// Of somebody at a barrier: its number in the journal.
    case entered(Int)
    case left(Int)
    case passed(Int, round: Int32)
    /// Whether another candidate has taken a leader's place.
    case handedOver(Bool)
    /// Of somebody who has waited at a gate or a latch, and who has counted: the number in the journal.
    case waited(Int)
    case countedDown(Int, left: Int)
    case refused(ZooKeeperError.Code, at: String?)
    /// The node that was looked after has gone, or is another one's.
    case nodeGone
    case done
}

/// Something that is held.
struct Holding: Sendable {
    enum Removal: Sendable {
        case byName
        /// Only while the node at a path has this version.
        case underVersion(Int32, of: String)
        /// Only while it is the node that stands for the hold: others may be made under its name.
        case ifOwn
    }

    /// Of the recipe.
    var path: String
    /// That stands for the hold; the first, if there are several.
    var node: String
    /// The others, of which each stands for as much again.
    var others: [String] = []
    /// That says how long the next one waits if this hold ends without a release.
    var marker: String?
    /// The fencing token.
    var token: Zxid
    var isShared: Bool
    var removal: Removal
    /// What is held: no two may hold the same of these, unless both are shared.
    var resources: [String]
    /// It ends when the client's window closes, whatever becomes of the session.
    var endsWithWindow = true

    init(
        path: String, node: String, others: [String] = [], token: Zxid, isShared: Bool, removal: Removal,
        resources: [String]? = nil
    ) {
        self.path = path
        self.node = node
        self.others = others
        self.token = token
        self.isShared = isShared
        self.removal = removal
        self.resources = resources ?? [path]
    }

    /// What must be true for a guarded write.
    var guards: [Operation] {
        switch removal {
        case .byName, .ifOwn: nodes.map { .check($0) }
        case .underVersion(let version, let path): [.check(node), .check(path, version: version)]
        }
    }

    /// What gives the hold up; of a hold that was lost the marker stays.
    func cleaning(_ session: SessionID, isLost: Bool, planted: RecipeBug?) -> any Job {
        switch removal {
        case .byName:
            CleaningJob((nodes + (isLost ? [] : [marker].compactMap(\.self))).map { .delete($0) }, planted: planted)
        case .underVersion(let version, let path):
            CleaningJob([.check(path, version: version), .delete(node)], isAtomic: true, planted: planted)
        case .ifOwn: DisowningJob(path: node, session: session, incarnation: token)
        }
    }

    var nodes: [String] { [node] + others }

    /// Whether the two must never be at the same time.
    func excludes(_ other: Self) -> Bool {
        path == other.path && !(isShared && other.isShared) && resources.contains { other.resources.contains($0) }
    }
}

/// A recipe's own machine as a job.
struct StepJob<Machine: StepMachine>: Job {
    var machine: Machine
    /// What its output means to the judges.
    let outcome: @Sendable (Machine.Output) -> Outcome
    /// The path that it is about, for others of the same client.
    var subject: String?
    private let session: SessionID
    private let planted: RecipeBug?
    private var meddler: Meddler
    /// As it was at the beginning.
    private let fresh: Machine

    init(
        _ machine: Machine, session: SessionID, planted: RecipeBug?,
        outcome: @escaping @Sendable (Machine.Output) -> Outcome
    ) {
        self.machine = machine
        fresh = machine
        self.session = session
        self.planted = planted
        self.outcome = outcome
        meddler = Meddler(planted, session: session)
    }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        if planted == .sleepsOn, case .changed = event { return [.wait(upTo: nil)] }
        var event = meddler.changed(event)
        if planted == .repeatsUnasked, event == .connected {
            machine = fresh
            event = .start
        }
        var actions: [JobAction] = []
        for action in machine.handle(event) {
            switch action {
            case .request(let request): actions.append(.request(meddler.changed(request)))
            case .wait(let limit): actions.append(.wait(upTo: limit))
            case .awaitConnection: actions.append(.awaitConnection)
            case .clean(let operations):
                actions += operations.map { .background(CleaningJob([$0], planted: planted)) }
            case .sweep(let parent, let mark):
                if planted != .leavesCancelled { actions.append(.background(SweepingJob(below: parent, mark: mark))) }
            case .disown(let path): actions.append(.background(DisowningJob(path: path, session: session)))
            case .finish(let output): actions.append(.finish(outcome(output)))
            case .fail(let failure): actions.append(.finish(.refused(failure.code, at: failure.path)))
            }
        }
        return actions
    }
}

/// One request and its answer, whatever it is; perhaps only after a while.
struct SingleRequestJob: Job {
    let request: StepRequest
    /// How long whoever asks stalls between the thought and the deed.
    var after: Duration?

    func handle(_ event: StepEvent) -> [JobAction] {
        switch event {
        case .start: after.map { [.wait(upTo: $0)] } ?? [.request(request)]
        case .elapsed: [.request(request)]
        case .answered(let answer, _): [.finish(.answered(answer))]
        case .failed(let code, let path): [.finish(.refused(code, at: path))]
        case .sessionOver(let code): [.finish(.refused(code, at: nil))]
        case .cancelled, .deadlinePassed: [.finish(.refused(.cancelled, at: nil))]
        case .changed, .connected: []
        }
    }
}

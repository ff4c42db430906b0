import ConclaveClient
import ConclaveCore

/// One attempt to get leases of a semaphore: event in, actions out.
///
/// ```
/// path/locks/_c_<id>-lock-<n>      the queue; whoever is first may take leases
/// path/leases/_c_<id>-lease-<n>    one for each lease that is out; n is the number that its owner had in the queue
/// ```
///
/// The first in the queue looks how many leases are out. If there is room, one transaction takes its node out of the
/// queue and creates its leases; else it watches the leases, as the only one of all who wait, and the limit if that is
/// a node. So the number of leases grows only by the hand of the first in the queue, which is why what it has counted
/// cannot have grown when its transaction takes effect.
///
/// ```
///              noNode: parents                     own node gone: again, with a new id
///            ┌───────────────┐            ┌──────────────────────────────────────────────┐
///            ▼               │            ▼                                              │
/// idle ──▶ queueing ──made───┴────────▶ judging ──first, room──▶ taking ──▶ granted       │
///   │        │ outcome unknown           ▲  │ behind another, or no room                 │
///   │        ▼                           │  ▼                                            │
///   │      suspended ─▶ syncing ─▶ finding  arming ─▶ waiting ──changed──▶ judging ───────┘
///   └─(try)─▶ looking
/// ```
package struct SemaphoreMachine: StepMachine {
    /// Leases that were got.
    package struct Leases: Hashable, Sendable {
        /// Their paths; the first one's creation is the token.
        package let paths: [String]
        package let czxid: Zxid
    }

    package enum Output: Hashable, Sendable {
        case granted(Leases)
        /// A try found no room, or somebody in the queue.
        case busy
    }

    enum State: Hashable, Sendable {
        case idle
        case looking
        case makingParents([String], then: Resumption)
        case makingLimit(then: Resumption)
        case queueing
        case suspended
        case syncing
        case finding
        case examining(own: String)
        case examiningLeases(own: String)
        case judging(own: String)
        case arming(own: String, Obstacle)
        case watchingOwn(own: String)
        case waiting(own: String)
        case taking(own: String, limitVersion: Int32?)
        case leaving(Output)
        case failing(own: String, StepFailure)
        case over
    }

    /// Where to go on when something that was missing has been made.
    enum Resumption: Hashable, Sendable {
        case looking
        case queueing
        case judging(own: String)
    }

    /// What the first watch of a wait is armed on.
    enum Obstacle: Hashable, Sendable {
        case predecessor(String)
        case leases
        case limit(leases: Int)
    }

    let plan: SemaphorePlan
    let session: SessionID
    let patience: AttemptPatience
    /// Paths of leases that the calling task tree holds already.
    let ownLeases: Set<String>
    var state = State.idle
    var attempt: AttemptID
    var retries = 0

    package init(
        _ plan: SemaphorePlan, attempt: AttemptID, session: SessionID, patience: AttemptPatience = .wait,
        ownLeases: Set<String> = []
    ) {
        self.plan = plan
        self.attempt = attempt
        self.session = session
        self.patience = patience
        self.ownLeases = ownLeases
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Output>] {
        switch event {
        case .start:
            guard state == .idle else { return [] }
            return patience == .once ? look() : queue()
        case .answered(let answer, let isWindowOpen): return answered(answer, isWindowOpen: isWindowOpen)
        case .failed(let code, let path): return failed(code, at: path)
        case .changed, .elapsed:
            guard case .waiting(let own) = state else { return [] }
            return judge(own)
        case .connected:
            guard state == .suspended else { return [] }
            state = .syncing
            return [.request(.sync(plan.locks))]
        case .cancelled: return withdraw(StepFailure(.cancelled, message: "the task was cancelled while it waited"))
        case .deadlinePassed:
            return withdraw(StepFailure(.deadlineExceeded, message: "the deadline passed in the queue"))
        case .sessionOver(let code):
            guard state != .over else { return [] }
            return fail(StepFailure(code))
        }
    }

    // MARK: - Orders

    mutating func look() -> [StepAction<Output>] {
        state = .looking
        return [.request(.read(plan.looks))]
    }

    mutating func queue() -> [StepAction<Output>] {
        state = .queueing
        return [
            .request(
                .write([.create(plan.queueNode(of: attempt), plan.identity, mode: .ephemeralSequential, acl: plan.acl)]
                ))
        ]
    }

    mutating func judge(_ own: String) -> [StepAction<Output>] {
        state = .judging(own: own)
        return [.request(.read(plan.looks))]
    }

    mutating func suspend() -> [StepAction<Output>] {
        state = .suspended
        return [.awaitConnection]
    }

    /// The own node has gone while the session lives: queues again, under a new id.
    mutating func again() -> [StepAction<Output>] {
        guard countRetry() else { return fail(StepFailure(.noNode, at: plan.locks)) }
        attempt = attempt.next
        return queue()
    }

    mutating func resume(_ resumption: Resumption) -> [StepAction<Output>] {
        switch resumption {
        case .looking: look()
        case .queueing: queue()
        case .judging(let own): judge(own)
        }
    }

    mutating func makeParents(_ paths: [String], then resumption: Resumption) -> [StepAction<Output>] {
        guard let path = paths.first else { return resume(resumption) }
        guard countRetry() else { return fail(StepFailure(.noNode, at: path)) }
        state = .makingParents(paths, then: resumption)
        return [.request(.makeParents(path, .container))]
    }

    mutating func countRetry() -> Bool {
        retries += 1
        return retries <= ContenderMachine.retryLimit
    }

    mutating func leave(_ own: String, _ output: Output) -> [StepAction<Output>] {
        state = .leaving(output)
        return [.request(.write([.delete(own)]))]
    }

    mutating func finish(_ output: Output) -> [StepAction<Output>] {
        state = .over
        return [.finish(output)]
    }

    mutating func fail(_ failure: StepFailure) -> [StepAction<Output>] {
        state = .over
        return [.fail(failure)]
    }

    /// Gives up: removes the own node if it is known, else whatever bears the id.
    mutating func withdraw(_ failure: StepFailure) -> [StepAction<Output>] {
        let cleaning = remains()
        return state == .over ? [] : cleaning + fail(failure)
    }

    /// What must be cleaned up if the attempt ends in this state.
    private func remains() -> [StepAction<Output>] {
        let known: String
        switch state {
        case .idle, .looking, .over: return []
        case .makingParents(_, let then), .makingLimit(let then):
            guard case .judging(let own) = then else { return [] }
            known = own
        case .judging(let own), .arming(let own, _), .watchingOwn(let own), .waiting(let own),
            .failing(let own, _):
            known = own
        case .queueing, .suspended, .syncing, .finding, .examining, .examiningLeases, .taking, .leaving:
            return [
                .sweep(below: plan.locks, mark: attempt.text), .sweep(below: plan.leases, mark: attempt.text),
            ]
        }
        return [.clean([.delete(known)])]
    }
}

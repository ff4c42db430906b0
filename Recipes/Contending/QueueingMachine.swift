import ConclaveClient
import ConclaveCore

/// A whole attempt to hold something by the order of sequential nodes, up to the grant, in the words of recipes.
///
/// ```
/// queueing ──first──▶ settling ──▶ renewing ──▶ finish(place)
///  ▲  │ a try met somebody           │  │ the own node has been removed
///  │  └──▶ leaving ──▶ finish(busy)  │  │
///  └─────────────── a new id ────────┴──┘
/// ```
///
/// - queueing: ``ContenderMachine`` decides; here are its requests and its watches, one on the node in the way and one on
///   the own node, which stays armed from wait to wait;
/// - settling: ``DelayMachine``, if lost holds have left something or this one is to;
/// - renewing: ``TermMachine``, if somebody leads, or has led, out of turn.
///
/// The last listing tells whether there is anything to settle or to renew, so neither costs a request otherwise.
package struct QueueingMachine: StepMachine {
    /// What is attempted.
    package struct Plan: Sendable {
        let path: String
        let kind: ContenderKind
        let isShared: Bool
        let patience: AttemptPatience
        /// How long the next one waits if the hold ends without a release.
        let delay: Duration?
        /// How often whoever waits looks where it stands; `nil`: never.
        let lookInterval: Duration?
        /// Names of nodes that the calling task tree holds already.
        let ownHolds: Set<String>
        let identity: [UInt8]
        let acl: [ACL]

        package init(
            path: String, kind: ContenderKind, isShared: Bool? = nil, patience: AttemptPatience, delay: Duration? = nil,
            lookInterval: Duration? = nil, ownHolds: Set<String> = [], identity: [UInt8] = [], acl: [ACL] = .open
        ) {
            self.path = path
            self.kind = kind
            self.isShared = isShared ?? kind.isShared
            self.patience = patience
            self.delay = delay
            self.lookInterval = lookInterval
            self.ownHolds = ownHolds
            self.identity = identity
            self.acl = acl
        }
    }

    /// The node that is first, and the marker that was left for the case that the hold ends without a release.
    package struct Place: Hashable, Sendable {
        package let node: ContenderMachine.Node
        package let marker: String?
    }

    package enum Output: Hashable, Sendable {
        case place(Place)
        /// A try met somebody.
        case busy
    }

    /// What the last request or wait is for.
    enum Asked: Sendable {
        case nothing
        case parents
        case creation
        case sync
        case finding
        case ownership
        case listing
        case predecessor(own: String)
        case ownNode(String)
        case change
        case standing
        case takeover(String)
        case removal(String)
    }

    enum Stage: Sendable {
        case queueing
        case settling(DelayMachine, ContenderMachine.Node, marker: String?)
        case renewing(TermMachine, marker: String?)
        case over
    }

    let plan: Plan
    private let session: SessionID
    var contender: ContenderMachine
    private var stage = Stage.queueing
    var asked = Asked.nothing
    /// The name of the own node while there is a watch on it.
    var watchedNode: String?
    /// Which writes to the own node a listing has followed.
    var ownVersion: (name: String, version: Int32)?
    /// What holds that ended without a release have left.
    var orphans: [HoldMarker] = []
    /// Whether there is a note of terms that began out of turn.
    var isDated = false
    private var rounds = 0
    /// Where the own node stood at the last look, if somebody wants to know.
    package internal(set) var position: QueuePosition?

    package init(_ plan: Plan, attempt: AttemptID, session: SessionID) {
        self.plan = plan
        self.session = session
        contender = Self.contender(plan, attempt, session)
    }

    private static func contender(_ plan: Plan, _ attempt: AttemptID, _ session: SessionID) -> ContenderMachine {
        ContenderMachine(
            attempt: attempt, session: session, isShared: plan.isShared, patience: plan.patience,
            ownHolds: plan.ownHolds)
    }

    /// The path of the own node while it is watched.
    package var watchedPath: String? { watchedNode.map(node) }

    /// Takes one event and says what to do, in this order.
    package mutating func handle(_ event: StepEvent) -> [StepAction<Output>] {
        switch stage {
        case .queueing: return queue(event)
        case .settling(var machine, let own, let marker):
            let actions = machine.handle(event)
            stage = .settling(machine, own, marker: marker)
            return follow(actions) { queueing, output in
                output == .busy ? queueing.finish(.busy) : queueing.renew(own, marker: marker)
            }
        case .renewing(var machine, let marker):
            let actions = machine.handle(event)
            stage = .renewing(machine, marker: marker)
            return follow(actions) { queueing, node in queueing.finish(.place(.init(node: node, marker: marker))) }
        case .over: return []
        }
    }

    // MARK: - From first to granted

    /// Waits for what lost holds have left behind, and leaves a marker if there is to be one.
    mutating func settle(_ own: ContenderMachine.Node) -> [StepAction<Output>] {
        let marker = plan.delay.map { node(HoldMarker(of: contender.attempt, delay: $0).text) }
        guard marker != nil || !orphans.isEmpty else { return renew(own, marker: nil) }
        // From here on only the own node is watched.
        watchedNode = own.name.text
        stage = .settling(
            DelayMachine(
                own: node(own.name.text), marker: marker, orphans: orphans, below: plan.path,
                patience: plan.patience), own, marker: marker)
        return handle(.start)
    }

    /// In an election in which a leader has handed over out of turn, makes sure that the term is above all before.
    private mutating func renew(_ own: ContenderMachine.Node, marker: String?) -> [StepAction<Output>] {
        guard isDated, plan.kind == .latch else { return finish(.place(.init(node: own, marker: marker))) }
        stage = .renewing(
            TermMachine(
                path: plan.path, own: own,
                successor: HandOver.successor(of: own.name, attempt: contender.attempt.next), session: session,
                identity: plan.identity, acl: plan.acl), marker: marker)
        return handle(.start)
    }

    private mutating func follow<Inner>(
        _ actions: [StepAction<Inner>], _ finished: (inout Self, Inner) -> [StepAction<Output>]
    ) -> [StepAction<Output>] {
        actions.flatMap { action -> [StepAction<Output>] in
            switch action {
            case .request(let request): [.request(request)]
            case .wait(let limit): [.wait(upTo: limit)]
            case .awaitConnection: [.awaitConnection]
            case .clean(let operations): [.clean(operations)]
            case .sweep(let parent, let mark): [.sweep(below: parent, mark: mark)]
            case .disown(let path): [.disown(path)]
            case .finish(let output): finished(&self, output)
            case .fail(let failure): failure.code == .noNode ? again() : fail(failure)
            }
        }
    }

    /// The own node has been removed between being first and being granted: queues again.
    private mutating func again() -> [StepAction<Output>] {
        rounds += 1
        guard rounds < ContenderMachine.retryLimit else {
            return fail(StepFailure(.noNode, message: "the own node is removed again and again"))
        }
        // The next id may be that of a renewed term.
        contender = Self.contender(plan, contender.attempt.next.next, session)
        stage = .queueing
        return feed(.start)
    }

    // MARK: - The end

    mutating func finish(_ output: Output) -> [StepAction<Output>] {
        stage = .over
        return [.finish(output)]
    }

    private mutating func fail(_ failure: StepFailure) -> [StepAction<Output>] {
        stage = .over
        return [.fail(failure)]
    }

    mutating func end(_ ending: AttemptEnding) -> [StepAction<Output>] {
        ending == .busy ? finish(.busy) : fail(ending.failure)
    }
}

import ConclaveClient
import ConclaveCore

/// Puts an ephemeral node of a given name into its place: of two sessions that want the name, the second waits until
/// the node of the first has gone.
///
/// ```
///              noNode: makeParents           gone
///            ┌────────────────┐        ┌───────────────────┐
///            ▼                │        ▼                   │
/// idle ──▶ creating ──────────┴──▶ examining ──another's──▶ waiting
///            │                       ▲    └──ours──▶ finish
///            │ outcome unknown       │
///            └──▶ recovering ──▶ syncing
/// ```
///
/// The name does not tell whose node it is, so a node that is found counts as ours only if this session owns it, an answer
/// was lost *and* it is younger than all that was seen before the attempt: an earlier membership of this client may still
/// be on its way out. A node that may have been made is disowned rather than deleted.
package struct JoinMachine: StepMachine {
    /// What to do with a node that belongs to no session.
    package enum Leftovers: Hashable, Sendable {
        /// Wait until somebody removes it.
        case respect
        /// Put the ephemeral one in its place, in one transaction.
        case replace
    }

    package enum State: Hashable, Sendable {
        case idle
        case creating
        case makingParents
        case recovering
        case syncing
        case examining
        case waiting
        case over
    }

    /// How often parents are made again, or a node that has gone is made anew, before the attempt fails.
    package static let retryLimit = 100

    package private(set) var state = State.idle
    private let path: String
    private let parent: String
    private let data: [UInt8]
    private let acl: [ACL]
    private let session: SessionID
    private let patience: AttemptPatience
    private let leftovers: Leftovers
    /// What had been seen before the attempt: older nodes of this session are not its own.
    private let seen: Zxid
    /// A create has been sent whose answer was lost: a node of this session is ours.
    private var mayExist = false
    private var retries = 0

    /// - Parameter seen: the newest state that the client had seen before.
    package init(
        parent: String, name: String, data: [UInt8], acl: [ACL] = .open, session: SessionID,
        patience: AttemptPatience = .wait, leftovers: Leftovers = .respect, after seen: Zxid = .zero
    ) {
        path = NodePath.text(of: name, below: parent)
        self.parent = parent
        self.data = data
        self.acl = acl
        self.session = session
        self.patience = patience
        self.leftovers = leftovers
        self.seen = seen
    }

    /// - Returns: in ``StepAction/finish(_:)`` the transaction that made the node.
    package mutating func handle(_ event: StepEvent) -> [StepAction<Zxid>] {
        switch event {
        case .start: return state == .idle ? create() : []
        case .answered(let answer, _): return answered(answer)
        case .failed(let code, _): return failed(code)
        case .changed: return state == .waiting ? create() : []
        case .elapsed: return []
        case .connected:
            guard state == .recovering else { return [] }
            state = .syncing
            return [.request(.sync(path))]
        case .cancelled: return withdraw(.cancelled, "the task was cancelled while it joined")
        case .deadlinePassed: return withdraw(.deadlineExceeded, "another session was still a member of that name")
        case .sessionOver(let code): return end(code)
        }
    }

    // MARK: - Events

    private mutating func answered(_ answer: StepAnswer) -> [StepAction<Zxid>] {
        switch (state, answer) {
        case (.creating, .written(let results)):
            mayExist = true
            guard case .created(_, let stat?)? = results.last else { return examine() }
            return finish(stat.czxid)
        case (.makingParents, .done): return create()
        case (.syncing, .done): return examine()
        case (.examining, .exists(let stat)): return judge(stat)
        default: return []
        }
    }

    private mutating func judge(_ stat: Stat?) -> [StepAction<Zxid>] {
        guard let stat else {
            retries += 1
            return retries > Self.retryLimit ? end(.noNode) : create()
        }
        // One of this session that this attempt has not made is the leftover of an earlier one, and about to go.
        if stat.ephemeralOwner == session, mayExist, stat.czxid > seen { return finish(stat.czxid) }
        // Whatever this attempt has sent, the node that is there is not its own.
        mayExist = false
        if stat.ephemeralOwner == .none, leftovers == .replace {
            retries += 1
            guard retries <= Self.retryLimit else { return end(.nodeExists) }
            state = .creating
            mayExist = true
            return [.request(.write([.delete(path, version: stat.version), creation]))]
        }
        if patience == .once { return end(.nodeExists, "another session is a member under that name") }
        state = .waiting
        return [.wait(upTo: nil)]
    }

    private mutating func failed(_ code: ZooKeeperError.Code) -> [StepAction<Zxid>] {
        if code.isWorthReconnecting {
            if patience == .once { return withdraw(code, nil) }
            state = .recovering
            return [.awaitConnection]
        }
        if state == .creating { mayExist = false }
        switch (state, code) {
        case (.creating, .nodeExists), (.creating, .badVersion), (.waiting, .noWatcher):
            return examine()
        case (.creating, .noNode):
            retries += 1
            guard retries <= Self.retryLimit else { return end(.noNode) }
            state = .makingParents
            return [.request(.makeParents(parent, .container))]
        default:
            return withdraw(code, nil)
        }
    }

    // MARK: - Next

    private var creation: Operation { .create(path, data, mode: .ephemeral, acl: acl) }

    private mutating func create() -> [StepAction<Zxid>] {
        state = .creating
        mayExist = true
        return [.request(.write([creation]))]
    }

    private mutating func examine() -> [StepAction<Zxid>] {
        state = .examining
        return [.request(.exists(path, watch: true))]
    }

    private mutating func finish(_ czxid: Zxid) -> [StepAction<Zxid>] {
        state = .over
        return [.finish(czxid)]
    }

    /// Gives up and leaves nothing of this attempt behind.
    private mutating func withdraw(_ code: ZooKeeperError.Code, _ message: String?) -> [StepAction<Zxid>] {
        guard state != .over else { return [] }
        return (mayExist ? [.disown(path)] : []) + end(code, message)
    }

    private mutating func end(_ code: ZooKeeperError.Code, _ message: String? = nil) -> [StepAction<Zxid>] {
        guard state != .over else { return [] }
        state = .over
        return [.fail(StepFailure(code, at: path, message: message))]
    }
}

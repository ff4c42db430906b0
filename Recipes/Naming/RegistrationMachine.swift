import ConclaveClient
import ConclaveCore

/// Makes the node of a registration, or waits until it has to be made again: event in, actions out.
///
/// ```
///                noNode: makeParents             made by another session: replacing
///            ┌──────────────┐                  ┌──────────────────────────────┐
///            ▼              │   nodeExists     ▼            badVersion        │
/// start ─▶ creating ────────┴──────────────▶ examining ──────────────────────┘
///            │  ▲                              │ own: refreshing
///            │  └──gone── looking ◀─changed─ waiting ◀─ (started with a node that stands)
///            └─────▶ finish(created)                      └─▶ another session's: finish(replaced)
/// ```
///
/// Of two sessions that register the same id the later one has it; the earlier one finds that out and ends.
package struct RegistrationMachine: StepMachine {
    package enum Output: Hashable, Sendable {
        /// The node stands.
        case created
        /// Another session has taken the id.
        case replaced
    }

    package enum State: Hashable, Sendable {
        case idle
        case makingParents
        case creating
        case examining
        case refreshing
        case replacing
        case looking
        case waiting
        case recovering(isWatching: Bool)
        case syncing
        case over
    }

    /// How often parents are made again or another session's node is replaced before it fails.
    package static let retryLimit = 100

    package private(set) var state = State.idle
    private let path: String
    private let data: [UInt8]
    private let session: SessionID
    private let acl: [ACL]
    private let isStanding: Bool
    private var retries = 0

    /// - Parameter isStanding: whether the node has been made, so that the machine waits for its end first.
    package init(at path: String, data: [UInt8], session: SessionID, acl: [ACL] = .open, isStanding: Bool) {
        self.path = path
        self.data = data
        self.session = session
        self.acl = acl
        self.isStanding = isStanding
    }

    /// Takes one event and says what to do, in this order.
    package mutating func handle(_ event: StepEvent) -> [StepAction<Output>] {
        switch event {
        case .start: return state != .idle ? [] : isStanding ? look() : create()
        case .answered(let answer, _): return answered(answer)
        case .failed(let code, _): return failed(code)
        case .changed, .elapsed: return state == .waiting ? look() : []
        case .connected: return connected()
        case .cancelled: return end(.cancelled)
        case .deadlinePassed: return end(.deadlineExceeded)
        case .sessionOver(let code): return end(code)
        }
    }

    // MARK: - Events

    private mutating func answered(_ answer: StepAnswer) -> [StepAction<Output>] {
        switch (state, answer) {
        case (.makingParents, .done): return create()
        case (.creating, .written), (.refreshing, .written), (.replacing, .written): return finish(.created)
        case (.syncing, .done): return examine()
        case (.examining, .exists(let stat)):
            guard let stat else { return again() }
            return stat.ephemeralOwner == session ? refresh(stat) : replace(stat)
        case (.looking, .exists(let stat)):
            guard let stat else { return create() }
            guard stat.ephemeralOwner == session else { return finish(.replaced) }
            state = .waiting
            return [.wait(upTo: nil)]
        default: return []
        }
    }

    private mutating func failed(_ code: ZooKeeperError.Code) -> [StepAction<Output>] {
        if code.endsSession || code == .cancelled { return end(code) }
        switch state {
        case .creating where code == .noNode:
            retries += 1
            guard retries <= Self.retryLimit, let parent = NodePath(path).parent, parent != .root else {
                return end(code)
            }
            state = .makingParents
            return [.request(.makeParents(parent.text, .container))]
        case .creating where code == .nodeExists:
            return examine()
        case .replacing where code == .badVersion || code == .noNode || code == .nodeExists,
            .refreshing where code == .badVersion || code == .noNode:
            return again()
        case .creating, .examining, .refreshing, .replacing, .syncing, .makingParents:
            guard code.isWorthReconnecting else { return end(code) }
            state = .recovering(isWatching: false)
            return [.awaitConnection]
        case .looking, .waiting:
            guard code.isWorthReconnecting else { return end(code) }
            state = .recovering(isWatching: true)
            return [.awaitConnection]
        case .idle, .recovering, .over:
            return []
        }
    }

    private mutating func connected() -> [StepAction<Output>] {
        guard case .recovering(let isWatching) = state else { return [] }
        guard !isWatching else { return look() }
        state = .syncing
        return [.request(.sync(path))]
    }

    // MARK: - Steps

    private mutating func create() -> [StepAction<Output>] {
        state = .creating
        return [.request(.write([.create(path, data, mode: .ephemeral, acl: acl)]))]
    }

    private mutating func again() -> [StepAction<Output>] {
        retries += 1
        return retries <= Self.retryLimit ? create() : end(.nodeExists)
    }

    private mutating func examine() -> [StepAction<Output>] {
        state = .examining
        return [.request(.exists(path))]
    }

    /// The node is this session's, from an earlier attempt: it may have had something else to say.
    private mutating func refresh(_ stat: Stat) -> [StepAction<Output>] {
        state = .refreshing
        return [.request(.write([.setData(path, data, version: stat.version)]))]
    }

    private mutating func replace(_ stat: Stat) -> [StepAction<Output>] {
        state = .replacing
        return [
            .request(
                .write([.delete(path, version: stat.version), .create(path, data, mode: .ephemeral, acl: acl)]))
        ]
    }

    private mutating func look() -> [StepAction<Output>] {
        state = .looking
        return [.request(.exists(path, watch: true))]
    }

    private mutating func finish(_ output: Output) -> [StepAction<Output>] {
        state = .over
        return [.finish(output)]
    }

    private mutating func end(_ code: ZooKeeperError.Code) -> [StepAction<Output>] {
        guard state != .over else { return [] }
        state = .over
        let failure = StepAction<Output>.fail(StepFailure(code, at: path))
        // A node that stands is removed by whoever keeps it up.
        return isStanding ? [failure] : [.disown(path), failure]
    }
}

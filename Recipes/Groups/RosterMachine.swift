import ConclaveClient
import ConclaveCore

/// Follows who is below a path: one change after another, each with everybody who is there.
///
/// ```
/// idle ──start──▶ listing ◀──────────────── needs a listing ──┐
///                   │ │ noNode                                │
///                   │ └──▶ looking for the parent ──none──┐   │
///                   ▼                                     ▼   │
///                 reading ──▶ nothing new ───────────▶ waiting ──changed──▶ draining ──▶ reading
///                   │                                     ▲
///                   └──▶ finish(change) ──start───────────┘
/// ```
///
/// It is started again for each further change. What fires while it is drained is read together, so a burst of changes
/// costs one reading. One-shot watches are used throughout, because they survive a lost connection without a gap.
package struct RosterMachine: StepMachine {
    package enum State: Hashable, Sendable {
        case idle
        case listing
        case lookingForParent
        case reading([String])
        case waiting
        case draining
        case suspended
        /// A change has been told; the next start waits for another.
        case told
        case over
    }

    package private(set) var state = State.idle
    private let path: String
    /// The names of the last listing that are not known to have gone, sorted.
    private var names: [String] = []
    private var known: [String: GroupMember] = [:]
    private var needsListing = true
    private var dirty: Set<String> = []
    private var last: [GroupMember]?

    package init(path: String) { self.path = path }

    package mutating func handle(_ event: StepEvent) -> [StepAction<GroupChange>] {
        switch event {
        case .start:
            switch state {
            case .idle: return goOn()
            case .told: return wait()
            default: return []
            }
        case .answered(let answer, _): return answered(answer)
        case .failed(let code, _): return failed(code)
        case .changed(let changed):
            guard state == .waiting || state == .draining else { return [] }
            note(changed)
            state = .draining
            return [.wait(upTo: .zero)]
        case .elapsed: return state == .draining ? goOn() : []
        case .connected: return state == .suspended ? goOn() : []
        case .cancelled: return end(.cancelled)
        case .deadlinePassed: return end(.deadlineExceeded)
        case .sessionOver(let code): return end(code)
        }
    }

    // MARK: - Events

    private mutating func note(_ changed: String) {
        if changed == path {
            needsListing = true
        } else {
            dirty.insert(changed)
        }
    }

    private mutating func answered(_ answer: StepAnswer) -> [StepAction<GroupChange>] {
        switch (state, answer) {
        case (.listing, .children(let children)):
            needsListing = false
            names = children.names.sorted()
            let current = Set(names)
            known = known.filter { current.contains($0.key) }
            return goOn()
        case (.lookingForParent, .exists(let stat)):
            // Made in between: the listing finds it now.
            needsListing = stat != nil
            return goOn()
        case (.reading(let asked), .dataOfMany(let nodes)) where nodes.count == asked.count:
            for (name, found) in zip(asked, nodes) {
                dirty.remove(node(name))
                known[name] = found.map { GroupMember(name: name, node: $0) }
            }
            // Who is missing has left since the listing; should it come back, the watch on the children tells.
            names.removeAll { known[$0] == nil }
            return goOn()
        default:
            return []
        }
    }

    private mutating func failed(_ code: ZooKeeperError.Code) -> [StepAction<GroupChange>] {
        if code.isWorthReconnecting {
            state = .suspended
            return [.awaitConnection]
        }
        switch state {
        case .listing where code == .noNode:
            names = []
            known = [:]
            state = .lookingForParent
            return [.request(.exists(path, watch: true))]
        case .waiting where code == .noWatcher, .draining where code == .noWatcher:
            // Somebody removed this client's watches; nobody knows what has happened since.
            needsListing = true
            dirty.formUnion(known.keys.map(node))
            return goOn()
        case .idle, .listing, .lookingForParent, .reading, .waiting, .draining, .suspended, .told, .over:
            return end(code)
        }
    }

    // MARK: - Next

    /// Lists if the names may be other ones, reads who is new or changed, then tells or waits.
    private mutating func goOn() -> [StepAction<GroupChange>] {
        if needsListing {
            state = .listing
            return [.request(.children(path, watch: true))]
        }
        let unread = names.filter { known[$0] == nil || dirty.contains(node($0)) }
        // Those who have gone are not asked for again.
        dirty.formIntersection(unread.map(node))
        if !unread.isEmpty {
            state = .reading(unread)
            return [.request(.watchDataOfMany(unread.map(node)))]
        }
        let now = names.compactMap { known[$0] }
        let change = GroupChange(from: last ?? [], to: now)
        let isFirst = last == nil
        last = now
        guard isFirst || !change.isEmpty else { return wait() }
        state = .told
        return [.finish(change)]
    }

    private mutating func wait() -> [StepAction<GroupChange>] {
        state = .waiting
        return [.wait(upTo: nil)]
    }

    private mutating func end(_ code: ZooKeeperError.Code) -> [StepAction<GroupChange>] {
        state = .over
        return [.fail(StepFailure(code, at: path))]
    }

    private func node(_ name: String) -> String { NodePath.text(of: name, below: path) }
}

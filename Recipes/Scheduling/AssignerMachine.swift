import ConclaveClient
import ConclaveCore

/// What the elected member of a ``Partitioner`` does: keeps the assignment right for those who are members.
///
/// ```
/// idle ──▶ loading ──▶ listing ──right──▶ watching ──changed──▶ listing
///             ▲           │ │                                     ▲
///             │           │ └──only newcomers──▶ settling ────────┘
///             │           ▼
///             └─badVersion─ writing ──written──▶ watching
/// ```
///
/// A member that has gone is replaced at once; newcomers are let come in together first. Writes stand under a check of
/// the node by which it was elected and of the version that was read, so that one who was overtaken writes nothing.
package struct AssignerMachine: StepMachine {
    /// Why there is nothing more to do.
    package enum Ending: Hashable, Sendable {
        /// The node by which this member was elected is not there any more.
        case overtaken
    }

    package enum State: Hashable, Sendable {
        case idle
        case loading
        case listing
        case lookingForParent
        case watching
        case settling
        case writing(ShareAssignment)
        case suspended
        case over
    }

    package private(set) var state = State.idle
    private let node: String
    private let members: String
    private let term: String
    private let shares: [String]
    private let settle: Duration
    private let acl: [ACL]
    /// What the node holds and its version; `nil` if there is none.
    private var current: (assignment: ShareAssignment, version: Int32)?
    /// How often newcomers have been waited for since the assignment was right.
    private var rounds = 0

    /// Newcomers that keep coming are waited for so often at most.
    package static let settlingLimit = 3

    /// - Parameters:
    ///   - node: the path of the assignment.
    ///   - members: the path of the group.
    ///   - term: the path of the node by which this member was elected.
    package init(
        node: String, members: String, term: String, shares: [String], settle: Duration, acl: [ACL] = .open
    ) {
        self.node = node
        self.members = members
        self.term = term
        self.shares = shares
        self.settle = settle
        self.acl = acl
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Ending>] {
        switch (state, event) {
        case (.over, _): return []
        case (.idle, .start), (.suspended, .connected): return load()
        case (.loading, .answered(.data(let found), _)):
            // What is no assignment is replaced by one.
            let assignment = try? ShareAssignment(configurationBytes: found.bytes)
            current = (assignment ?? ShareAssignment(generation: 0, owners: [:]), found.stat.version)
            return list()
        case (.loading, .failed(.noNode, _)):
            current = nil
            return list()
        case (.listing, .answered(.children(let children), _)): return judge(children.names)
        case (.listing, .failed(.noNode, _)):
            state = .lookingForParent
            return [.request(.exists(members, watch: true))]
        case (.lookingForParent, .answered(.exists(let stat), _)): return stat == nil ? watch() : list()
        case (.watching, .changed), (.settling, .changed), (.watching, .failed(.noWatcher, _)): return list()
        case (.settling, .elapsed):
            rounds = Self.settlingLimit
            return list()
        case (.writing(let new), .answered(.written(let results), _)):
            guard case .dataSet(let stat)? = results.last else { return load() }
            current = (new, stat.version)
            return watch()
        case (.writing, .failed(let code, let path))
        where path == node && (code == .badVersion || code == .noNode || code == .nodeExists):
            return load()
        case (.writing, .failed(.noNode, term)):
            state = .over
            return [.finish(.overtaken)]
        case (_, .failed(let code, _)):
            guard code.isWorthReconnecting else { return end(code) }
            state = .suspended
            return [.awaitConnection]
        case (_, .cancelled): return end(.cancelled)
        case (_, .deadlinePassed): return end(.deadlineExceeded)
        case (_, .sessionOver(let code)): return end(code)
        default: return []
        }
    }

    private mutating func judge(_ names: [String]) -> [StepAction<Ending>] {
        let owners = current?.assignment.owners ?? [:]
        // Without members nobody could have anything, and whoever comes first finds what was before.
        guard !names.isEmpty else { return watch() }
        let plan = SharePlan.assign(shares, to: names, keeping: owners)
        guard plan != owners || current == nil else { return watch() }
        let present = Set(names)
        let isUrgent = owners.values.contains { !present.contains($0) }
        if settle > .zero, !isUrgent, rounds < Self.settlingLimit {
            rounds += 1
            state = .settling
            return [.wait(upTo: settle)]
        }
        rounds = 0
        let new = ShareAssignment(generation: (current?.assignment.generation ?? 0) + 1, owners: plan)
        guard let bytes = try? new.configurationBytes() else { return end(.marshallingError) }
        state = .writing(new)
        let write: Operation =
            if let current {
                .setData(node, bytes, version: current.version)
            } else {
                .create(node, bytes, acl: acl)
            }
        return [.request(.write([.check(term), write]))]
    }

    // MARK: - Next

    private mutating func load() -> [StepAction<Ending>] {
        state = .loading
        return [.request(.data(node))]
    }

    private mutating func list() -> [StepAction<Ending>] {
        state = .listing
        return [.request(.children(members, watch: true))]
    }

    private mutating func watch() -> [StepAction<Ending>] {
        rounds = 0
        state = .watching
        return [.wait(upTo: nil)]
    }

    private mutating func end(_ code: ZooKeeperError.Code) -> [StepAction<Ending>] {
        state = .over
        return [.fail(StepFailure(code, at: node))]
    }
}

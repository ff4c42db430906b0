import ConclaveClient
import ConclaveCore

/// Publishes a revision together with its entry in the history: event in, actions out.
///
/// ```
/// start ─▶ looking ─▶ listing ─▶ writing ──written──▶ finish
///             │ no node             │ badVersion, nodeExists, noNode: again, unless something was expected
///             └─▶ making ─▶ confirming ─▶ finish      (node, history and first entry in one transaction)
/// ```
///
/// Value and entry are written in one transaction, together with the deletion of entries beyond the limit, so the
/// history never shows a revision that was not published and lacks none that was. After a lost connection the outcome
/// is unknown.
package struct PublishMachine: StepMachine {
    package enum State: Hashable, Sendable {
        case idle
        case looking
        case makingParents
        case listing(version: Int32)
        case makingHistory(version: Int32)
        case making(hasParents: Bool)
        case confirming
        case writing
        case over
    }

    /// How many old entries are deleted at once.
    private static let deletionLimit = 100
    /// How often somebody may be faster before it fails.
    package static let retryLimit = 1_000

    package private(set) var state = State.idle
    private let path: String
    private let bytes: [UInt8]
    private let expected: Expected
    private let limit: Int
    private let acl: [ACL]
    private var retries = 0

    /// What must be there.
    package enum Expected: Hashable, Sendable {
        case anything
        case nothing
        case version(Int32)
    }

    /// - Parameter limit: how many entries are kept, at least 1.
    package init(_ bytes: [UInt8], at path: String, expecting expected: Expected, limit: Int, acl: [ACL] = .open) {
        self.bytes = bytes
        self.path = path
        self.expected = expected
        self.limit = limit
        self.acl = acl
    }

    /// The path of the history below that of a value.
    package static func history(of path: String) -> String { NodePath.text(of: "history", below: path) }

    /// The name of an entry: the version in ten digits, so that names sort as versions do.
    package static func name(of version: Int32) -> String {
        let digits = String(UInt32(bitPattern: version))
        return String(repeating: "0", count: 10 - digits.utf8.count) + digits
    }

    /// The version of an entry; `nil` for a name that is none.
    package static func version(of name: String) -> Int32? {
        guard name.utf8.count == 10, name.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
            let number = UInt32(name)
        else { return nil }
        return Int32(bitPattern: number)
    }

    /// Takes one event and says what to do, in this order. The output has version, `mzxid` and `mtime` of the
    /// value's node afterwards.
    package mutating func handle(_ event: StepEvent) -> [StepAction<Stat>] {
        switch event {
        case .start: return state == .idle ? begin() : []
        case .answered(let answer, _): return answered(answer)
        case .failed(let code, let refused): return failed(code, at: refused)
        case .changed, .elapsed, .connected: return []
        case .cancelled: return end(.cancelled)
        case .deadlinePassed: return end(.deadlineExceeded)
        case .sessionOver(let code): return end(code)
        }
    }

    private mutating func begin() -> [StepAction<Stat>] {
        switch expected {
        case .anything:
            state = .looking
            return [.request(.exists(path))]
        case .nothing: return makeAll()
        case .version(let version): return list(version)
        }
    }

    private mutating func answered(_ answer: StepAnswer) -> [StepAction<Stat>] {
        switch (state, answer) {
        case (.looking, .exists(let stat)):
            guard let stat else { return makeAll() }
            return list(stat.version)
        case (.makingParents, .done): return makeAll(hasParents: true)
        case (.makingHistory(let version), .written): return list(version)
        case (.listing(let version), .children(let children)): return write(version, children.names)
        case (.making, .written):
            // A create in a transaction tells no facts.
            state = .confirming
            return [.request(.exists(NodePath.text(of: Self.name(of: 0), below: Self.history(of: path))))]
        case (.confirming, .exists(let stat)):
            // Written in the same transaction as the value, and nobody writes an entry again.
            guard let stat else { return end(.connectionLoss) }
            return finish(stat)
        case (.writing, .written(let results)):
            guard case .dataSet(let stat)? = results.first else { return end(.protocolViolation) }
            return finish(stat)
        default: return []
        }
    }

    private mutating func failed(_ code: ZooKeeperError.Code, at refused: String?) -> [StepAction<Stat>] {
        switch state {
        case .listing(let version) where code == .noNode:
            state = .makingHistory(version: version)
            return [.request(.write([.create(Self.history(of: path), [], acl: acl)]))]
        case .makingHistory(let version) where code == .nodeExists:
            return list(version)
        case .makingHistory where code == .noNode && expected == .anything:
            return begin()
        case .making(let hasParents) where code == .noNode && !hasParents:
            guard let parent = NodePath(path).parent, parent != .root else { return end(code) }
            state = .makingParents
            return [.request(.makeParents(parent.text, .persistent))]
        case .making where (code == .noNode || code == .nodeExists) && expected == .anything:
            return begin()
        case .writing where Self.isRace(code):
            // With anything expected somebody else was faster, so somebody made progress; below the value only what was
            // done by hand can be in the way.
            retries += 1
            let isWelcome = expected == .anything || refused != path
            return isWelcome && retries <= Self.retryLimit ? begin() : end(code)
        case .idle, .looking, .makingParents, .listing, .makingHistory, .making, .confirming, .writing:
            return end(code)
        case .over:
            return []
        }
    }

    private static func isRace(_ code: ZooKeeperError.Code) -> Bool {
        code == .badVersion || code == .nodeExists || code == .noNode
    }

    // MARK: - Steps

    private mutating func makeAll(hasParents: Bool = false) -> [StepAction<Stat>] {
        state = .making(hasParents: hasParents)
        let history = Self.history(of: path)
        return [
            .request(
                .write([
                    .create(path, bytes, acl: acl), .create(history, [], acl: acl),
                    .create(NodePath.text(of: Self.name(of: 0), below: history), bytes, acl: acl),
                ]))
        ]
    }

    private mutating func list(_ version: Int32) -> [StepAction<Stat>] {
        state = .listing(version: version)
        return [.request(.children(Self.history(of: path)))]
    }

    private mutating func write(_ version: Int32, _ names: [String]) -> [StepAction<Stat>] {
        state = .writing
        let new = Self.name(of: version &+ 1)
        let history = Self.history(of: path)
        // An entry of the new version can only be left from somebody who wrote it by hand.
        let others = names.filter { Self.version(of: $0) != nil && $0 != new }.sorted()
        var doomed = Array(others.dropLast(limit - 1).prefix(Self.deletionLimit))
        if names.contains(new) { doomed.append(new) }
        var operations: [Operation] = [.setData(path, bytes, version: version)]
        operations += doomed.map { .delete(NodePath.text(of: $0, below: history)) }
        operations.append(.create(NodePath.text(of: new, below: history), bytes, acl: acl))
        return [.request(.write(operations))]
    }

    private mutating func finish(_ stat: Stat) -> [StepAction<Stat>] {
        state = .over
        return [.finish(stat)]
    }

    private mutating func end(_ code: ZooKeeperError.Code) -> [StepAction<Stat>] {
        guard state != .over else { return [] }
        state = .over
        return [.fail(StepFailure(code, at: path))]
    }
}

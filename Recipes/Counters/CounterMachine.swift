import ConclaveClient
import ConclaveCore

/// One change of a counter by compare-and-set: event in, actions out.
///
/// ```
///              noNode: makeParents, create with 0
///            ┌───────────────┐
///            ▼               │        badVersion: back off
/// start ─▶ reading ──▶ writing ◀─────────────┐
///            ▲  ▲         │ connection lost   │
///            │  │         ▼                   │
///            │  │      recovering ─▶ syncing ─▶ judging ──same version──▶ writing
///            │  └─────────────────────────────┐  └──another version──▶ outcome unknown
/// ```
///
/// A write names the version that was read, so a repeated one can never be performed twice: if the first was performed,
/// the second is refused. Only when somebody has written since is it impossible to tell whether this write was among
/// those performed; then the machine fails with `connectionLoss`, whose outcome is unknown, and changes nothing more.
package struct CounterMachine: StepMachine {
    /// What is wanted.
    package enum Change: Hashable, Sendable {
        case add(Int64)
        case set(Int64)
        case compareAndSet(expected: Int64, new: Int64)
    }

    /// What has become of it.
    package struct Output: Hashable, Sendable {
        /// What the counter showed before.
        package let before: Int64
        /// What it shows now; the same if a comparison failed.
        package let after: Int64
        /// Whether it was written.
        package let isWritten: Bool
    }

    package enum State: Hashable, Sendable {
        case idle
        case reading
        case makingParents
        case creating
        case writing(Attempt)
        case backingOff
        /// Without a connection; a write may have been performed.
        case recovering(Attempt?)
        case syncing(Attempt)
        case judging(Attempt)
        case over
    }

    /// A write that names the version it replaces.
    package struct Attempt: Hashable, Sendable {
        let before: Int64
        let after: Int64
        let bytes: [UInt8]
        let version: Int32
        let czxid: Zxid
        /// Whether an earlier write of the same attempt went unanswered.
        var isRepeated = false
    }

    /// The longest wait after a write that somebody else overtook.
    package static let longestBackOff = Duration.milliseconds(50)

    package private(set) var state = State.idle
    private let path: String
    private let change: Change
    private let acl: [ACL]
    private var random: UInt64
    private var overtaken = 0

    /// - Parameter seed: for the length of the waits between attempts.
    package init(_ change: Change, at path: String, acl: [ACL] = .open, seed: UInt64) {
        self.path = path
        self.change = change
        self.acl = acl
        random = seed | 1
    }

    /// Takes one event and says what to do, in this order.
    package mutating func handle(_ event: StepEvent) -> [StepAction<Output>] {
        switch event {
        case .start: return state == .idle ? read() : []
        case .answered(let answer, _): return answered(answer)
        case .failed(let code, _): return failed(code)
        case .elapsed: return state == .backingOff ? read() : []
        case .connected: return connected()
        case .changed: return []
        case .cancelled: return end(.cancelled)
        case .deadlinePassed: return end(.deadlineExceeded)
        case .sessionOver(let code): return end(code)
        }
    }

    // MARK: - Events

    private mutating func answered(_ answer: StepAnswer) -> [StepAction<Output>] {
        switch (state, answer) {
        case (.reading, .data(let node)): return decide(node)
        case (.makingParents, .done):
            state = .creating
            return [.request(.write([.create(path, CounterBlock.encode(0), acl: acl)]))]
        case (.creating, .written): return read()
        case (.writing(let attempt), .written):
            state = .over
            return [.finish(Output(before: attempt.before, after: attempt.after, isWritten: true))]
        case (.syncing(let attempt), .done):
            state = .judging(attempt)
            return [.request(.data(path))]
        case (.judging(let attempt), .data(let node)):
            guard node.stat.czxid == attempt.czxid, node.stat.version == attempt.version else { return unknown() }
            var again = attempt
            again.isRepeated = true
            return write(again)
        default: return []
        }
    }

    private mutating func failed(_ code: ZooKeeperError.Code) -> [StepAction<Output>] {
        if code.endsSession || code == .cancelled { return end(code) }
        switch state {
        case .reading where code == .noNode:
            guard let parent = NodePath(path).parent, parent != .root else {
                state = .creating
                return [.request(.write([.create(path, CounterBlock.encode(0), acl: acl)]))]
            }
            state = .makingParents
            // Persistent: the server removes containers with what they count.
            return [.request(.makeParents(parent.text, .persistent))]
        case .creating where code == .nodeExists || code == .noNode:
            return read()
        case .writing(let attempt) where code == .badVersion || code == .noNode:
            // Whatever overtook a repeated write may have been the first one.
            return attempt.isRepeated ? unknown() : backOff()
        case .judging where code == .noNode:
            return unknown()
        case .writing(let attempt), .syncing(let attempt), .judging(let attempt):
            guard code.isWorthReconnecting else { return end(code) }
            state = .recovering(attempt)
            return [.awaitConnection]
        case .reading, .makingParents, .creating:
            guard code.isWorthReconnecting else { return end(code) }
            state = .recovering(nil)
            return [.awaitConnection]
        case .idle, .backingOff, .recovering, .over:
            return []
        }
    }

    private mutating func connected() -> [StepAction<Output>] {
        guard case .recovering(let attempt) = state else { return [] }
        guard let attempt else { return read() }
        state = .syncing(attempt)
        return [.request(.sync(path))]
    }

    // MARK: - Steps

    private mutating func read() -> [StepAction<Output>] {
        state = .reading
        return [.request(.data(path))]
    }

    private mutating func decide(_ node: NodeData) -> [StepAction<Output>] {
        guard let (before, form) = CounterForm.decode(node.bytes) else {
            return end(.dataInconsistency, "the node's data is not a counter")
        }
        let after: Int64
        switch change {
        case .add(let amount):
            let (sum, overflow) = before.addingReportingOverflow(amount)
            guard !overflow else { return end(.sequenceExhausted, "the counter would overflow") }
            after = sum
        case .set(let new):
            after = new
        case .compareAndSet(let expected, let new):
            guard before == expected else {
                state = .over
                return [.finish(Output(before: before, after: before, isWritten: false))]
            }
            after = new
        }
        guard let bytes = form.encode(after) else { return end(.sequenceExhausted, "the counter has 4 bytes only") }
        return write(
            Attempt(
                before: before, after: after, bytes: bytes, version: node.stat.version, czxid: node.stat.czxid))
    }

    private mutating func write(_ attempt: Attempt) -> [StepAction<Output>] {
        state = .writing(attempt)
        return [.request(.write([.setData(path, attempt.bytes, version: attempt.version)]))]
    }

    /// The first time at once, then after waits that double and differ between contenders.
    private mutating func backOff() -> [StepAction<Output>] {
        overtaken += 1
        guard overtaken > 1 else { return read() }
        state = .backingOff
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        let ceiling = min(Int64(500) << Int64(min(overtaken - 2, 10)), Self.longestBackOff.wholeMicroseconds)
        return [.wait(upTo: .microseconds(Int64(random % UInt64(ceiling)) + 1))]
    }

    private mutating func unknown() -> [StepAction<Output>] {
        end(.connectionLoss, "the connection was lost and the counter has changed since: the outcome is unknown")
    }

    private mutating func end(_ code: ZooKeeperError.Code, _ message: String? = nil) -> [StepAction<Output>] {
        guard state != .over else { return [] }
        state = .over
        return [.fail(StepFailure(code, at: path, message: message))]
    }
}

extension Duration {
    /// Whole microseconds, rounded down; only for short durations.
    fileprivate var wholeMicroseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }
}

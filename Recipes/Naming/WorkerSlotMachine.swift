import ConclaveClient
import ConclaveCore

/// One attempt to take the lowest free number: event in, actions out.
///
/// ```
///             noNode: makeParents          badVersion: somebody else took one
///            ┌──────────────┐            ┌──────────────┐
///            ▼              │            ▼              │
/// start ─▶ listing ─────────┴──free──▶ taking ──────────┴──written──▶ finish
///            ▲  │ none free              │ connection lost
///  changed   │  └──▶ waiting             ▼
///            └────────────────────── recovering ─▶ syncing ─▶ finding ─▶ examining ─▶ finish
/// ```
///
/// A number is taken in a transaction that also writes the parent, on the condition that the parent has the version of
/// the listing: two attempts that saw the same number free cannot both succeed. Names bear the id of the attempt, so a
/// node can be found again after a lost reply and is never taken for somebody else's.
package struct WorkerSlotMachine: StepMachine {
    /// A number that was taken.
    package struct Slot: Hashable, Sendable {
        package let number: Int
        /// The node's name.
        package let name: String
        package let czxid: Zxid
    }

    package enum State: Hashable, Sendable {
        case idle
        case makingParents
        case listing
        case waiting
        case taking(Int)
        case recovering(Int?)
        case syncing(Int)
        case finding(Int)
        case examining(Int)
        case over
    }

    package private(set) var state = State.idle
    private let path: String
    private let count: Int
    private let attempt: AttemptID
    private let session: SessionID
    private let identity: [UInt8]
    private let acl: [ACL]
    private let patience: AttemptPatience

    /// - Parameters:
    ///   - path: the parent of the nodes that stand for numbers.
    ///   - count: how many numbers there are.
    package init(
        at path: String, count: Int, attempt: AttemptID, session: SessionID, identity: [UInt8], acl: [ACL] = .open,
        patience: AttemptPatience
    ) {
        self.path = path
        self.count = count
        self.attempt = attempt
        self.session = session
        self.identity = identity
        self.acl = acl
        self.patience = patience
    }

    /// The name of the node that stands for a number.
    package static func name(of number: Int, _ attempt: AttemptID) -> String { "\(number)_\(attempt.text)" }

    /// The number that a node stands for; `nil` if it stands for none.
    package static func number(of name: String) -> Int? {
        guard let mark = name.utf8.firstIndex(of: UInt8(ascii: "_")) else { return nil }
        let digits = name[..<mark]
        guard let number = Int(digits), number >= 0, String(number) == digits else { return nil }
        return number
    }

    /// The lowest number that none of the nodes stands for.
    package static func lowestFree(among names: [String], count: Int) -> Int? {
        let taken = Set(names.compactMap(number))
        return (0..<count).first { !taken.contains($0) }
    }

    /// Takes one event and says what to do, in this order. The output is `nil` if a try found no number free.
    package mutating func handle(_ event: StepEvent) -> [StepAction<Slot?>] {
        switch event {
        case .start: return state == .idle ? list() : []
        case .answered(let answer, let isWindowOpen): return answered(answer, isWindowOpen)
        case .failed(let code, _): return failed(code)
        case .changed, .elapsed: return state == .waiting ? list() : []
        case .connected: return connected()
        case .cancelled: return end(.cancelled)
        case .deadlinePassed: return end(.deadlineExceeded)
        case .sessionOver(let code): return end(code)
        }
    }

    // MARK: - Events

    private mutating func answered(_ answer: StepAnswer, _ isWindowOpen: Bool) -> [StepAction<Slot?>] {
        switch (state, answer) {
        case (.makingParents, .done): return list()
        case (.listing, .children(let children)): return choose(children)
        case (.taking(let number), .written(let results)):
            guard case .dataSet(let stat)? = results.first else { return end(.protocolViolation) }
            // The transaction has one zxid, and so the node was made at the one at which the parent was written.
            return isWindowOpen ? grant(number, stat.mzxid) : examine(number)
        case (.syncing(let number), .done):
            state = .finding(number)
            return [.request(.children(path))]
        case (.finding(let number), .children(let children)):
            // Not there: it was not made. Whether the number is still free is another question.
            return children.names.contains(Self.name(of: number, attempt)) ? examine(number) : list()
        case (.examining(let number), .exists(let stat)):
            guard let stat else { return list() }
            guard stat.ephemeralOwner == session else { return end(.dataInconsistency) }
            return isWindowOpen ? grant(number, stat.czxid) : examine(number)
        default: return []
        }
    }

    private mutating func failed(_ code: ZooKeeperError.Code) -> [StepAction<Slot?>] {
        if code.endsSession || code == .cancelled { return end(code) }
        switch state {
        case .listing where code == .noNode, .taking where code == .noNode:
            state = .makingParents
            // Persistent: its version must not start anew.
            return [.request(.makeParents(path, .persistent))]
        case .taking where code == .badVersion:
            return list()
        case .taking(let number), .syncing(let number), .finding(let number), .examining(let number):
            guard code.isWorthReconnecting else { return end(code) }
            state = .recovering(number)
            return [.awaitConnection]
        case .makingParents, .listing, .waiting:
            guard code.isWorthReconnecting else { return end(code) }
            state = .recovering(nil)
            return [.awaitConnection]
        case .idle, .recovering, .over:
            return []
        }
    }

    private mutating func connected() -> [StepAction<Slot?>] {
        guard case .recovering(let number) = state else { return [] }
        guard let number else { return list() }
        state = .syncing(number)
        return [.request(.sync(path))]
    }

    // MARK: - Steps

    private mutating func list() -> [StepAction<Slot?>] {
        state = .listing
        return [.request(.children(path, watch: patience == .wait))]
    }

    private mutating func choose(_ children: Children) -> [StepAction<Slot?>] {
        guard let number = Self.lowestFree(among: children.names, count: count) else {
            guard patience == .wait else {
                state = .over
                return [.finish(nil)]
            }
            state = .waiting
            return [.wait(upTo: nil)]
        }
        state = .taking(number)
        let node = NodePath.text(of: Self.name(of: number, attempt), below: path)
        return [
            .request(
                .write([
                    .setData(path, [], version: children.stat.version),
                    .create(node, identity, mode: .ephemeral, acl: acl),
                ]))
        ]
    }

    private mutating func examine(_ number: Int) -> [StepAction<Slot?>] {
        state = .examining(number)
        return [.request(.exists(NodePath.text(of: Self.name(of: number, attempt), below: path)))]
    }

    private mutating func grant(_ number: Int, _ czxid: Zxid) -> [StepAction<Slot?>] {
        state = .over
        return [.finish(Slot(number: number, name: Self.name(of: number, attempt), czxid: czxid))]
    }

    private mutating func end(_ code: ZooKeeperError.Code) -> [StepAction<Slot?>] {
        let mayHaveMade: Bool
        switch state {
        case .over: return []
        case .taking, .recovering(_?), .syncing, .finding, .examining: mayHaveMade = true
        case .idle, .makingParents, .listing, .waiting, .recovering(nil): mayHaveMade = false
        }
        state = .over
        let failure = StepAction<Slot?>.fail(StepFailure(code, at: path))
        return mayHaveMade ? [.sweep(below: path, mark: attempt.text), failure] : [failure]
    }
}

import ConclaveClient
import ConclaveCore

/// Reads all keys of the version that a pointer names, and no other: event in, actions out.
///
/// ```
/// start ─▶ pointing ─▶ listing ─▶ reading ─▶ finish
///             ▲            │ noNode    │ one is missing: the version was removed meanwhile
///             └────────────┴───────────┘
/// ```
///
/// Versions never change once they are pointed at, so whatever is read of one is of one moment.
package struct SnapshotMachine: StepMachine {
    package struct Reading: Hashable, Sendable {
        /// The number of the version.
        package let number: Int
        /// The facts of the pointer's node when it was read.
        package let pointer: Stat
        package let values: [String: [UInt8]]
    }

    package enum State: Hashable, Sendable {
        case idle
        case pointing
        case listing(Int, Stat)
        case reading(Int, Stat, [String])
        case recovering
        case over
    }

    /// How often versions may vanish while they are read.
    package static let retryLimit = 100

    package private(set) var state = State.idle
    private let path: String
    private var retries = 0

    package init(at path: String) { self.path = path }

    /// The number that a pointer names; `nil` if it names none.
    package static func number(of pointer: [UInt8]) -> Int? {
        PublishMachine.version(of: String(decoding: pointer, as: UTF8.self)).map(Int.init)
    }

    /// The path of a version.
    package static func path(of number: Int, below path: String) -> String {
        NodePath.text(of: PublishMachine.name(of: Int32(truncatingIfNeeded: number)), below: path)
    }

    /// Takes one event and says what to do, in this order. The output is `nil` if nothing has been published.
    package mutating func handle(_ event: StepEvent) -> [StepAction<Reading?>] {
        switch event {
        case .start: return state == .idle ? point() : []
        case .answered(let answer, _): return answered(answer)
        case .failed(let code, _): return failed(code)
        case .connected: return state == .recovering ? point() : []
        case .changed, .elapsed: return []
        case .cancelled: return end(.cancelled)
        case .deadlinePassed: return end(.deadlineExceeded)
        case .sessionOver(let code): return end(code)
        }
    }

    private mutating func answered(_ answer: StepAnswer) -> [StepAction<Reading?>] {
        switch (state, answer) {
        case (.pointing, .data(let node)):
            guard !node.bytes.isEmpty else { return finish(nil) }
            guard let number = Self.number(of: node.bytes) else {
                return end(.dataInconsistency, "the node's data names no version")
            }
            state = .listing(number, node.stat)
            return [.request(.children(Self.path(of: number, below: path)))]
        case (.listing(let number, let pointer), .children(let children)):
            guard !children.names.isEmpty else {
                return finish(Reading(number: number, pointer: pointer, values: [:]))
            }
            state = .reading(number, pointer, children.names)
            let version = Self.path(of: number, below: path)
            return [.request(.dataOfMany(children.names.map { NodePath.text(of: $0, below: version) }))]
        case (.reading(let number, let pointer, let names), .dataOfMany(let nodes)):
            var values: [String: [UInt8]] = [:]
            for (name, node) in zip(names, nodes) {
                guard let node else { return again() }
                values[name] = node.bytes
            }
            return finish(Reading(number: number, pointer: pointer, values: values))
        default: return []
        }
    }

    private mutating func failed(_ code: ZooKeeperError.Code) -> [StepAction<Reading?>] {
        switch state {
        case .pointing where code == .noNode: return finish(nil)
        case .listing where code == .noNode: return again()
        case .pointing, .listing, .reading:
            guard code.isWorthReconnecting else { return end(code) }
            state = .recovering
            return [.awaitConnection]
        case .idle, .recovering, .over: return []
        }
    }

    private mutating func point() -> [StepAction<Reading?>] {
        state = .pointing
        return [.request(.data(path))]
    }

    private mutating func again() -> [StepAction<Reading?>] {
        retries += 1
        guard retries <= Self.retryLimit else {
            return end(.dataInconsistency, "the version that is pointed at is not there")
        }
        return point()
    }

    private mutating func finish(_ output: Reading?) -> [StepAction<Reading?>] {
        state = .over
        return [.finish(output)]
    }

    private mutating func end(_ code: ZooKeeperError.Code, _ message: String? = nil) -> [StepAction<Reading?>] {
        guard state != .over else { return [] }
        state = .over
        return [.fail(StepFailure(code, at: path, message: message))]
    }
}

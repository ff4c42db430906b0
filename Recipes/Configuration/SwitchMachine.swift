import ConclaveClient
import ConclaveCore

/// Publishes a version of a set of values over the one that was read, unless somebody else has published meanwhile:
/// event in, actions out.
///
/// ```
/// start ─▶ listing ──over a version─────────────▶ switching ──written──▶ finish(published)
///             │ over nothing                         │ badVersion, nodeExists, noNode
///             └─▶ making parents ─▶ examining ───▶───┤
///                                      │ not empty   ▼
///                                      └──────────▶ finish(beaten)
/// ```
///
/// The new version and the switch of the pointer are one transaction under the version of the pointer. After a lost
/// connection the outcome is unknown.
package struct SwitchMachine: StepMachine {
    package enum Output: Hashable, Sendable {
        /// What is current now, and the versions that were there before, the newest first.
        case published(SnapshotMachine.Reading, known: [Int])
        /// Somebody else was faster.
        case beaten
    }

    package enum State: Hashable, Sendable {
        case idle
        case listing
        case makingParents
        case examining
        case switching(number: Int)
        case over
    }

    package private(set) var state = State.idle
    private let path: String
    private let values: [String: [UInt8]]
    /// The number of the version that was read, and the version of the pointer then; `nil` if there was none.
    private let base: (number: Int, pointerVersion: Int32)?
    private let acl: [ACL]
    private var known: [Int] = []

    package init(
        _ values: [String: [UInt8]], at path: String, over base: (number: Int, pointerVersion: Int32)?,
        acl: [ACL] = .open
    ) {
        self.values = values
        self.path = path
        self.base = base
        self.acl = acl
    }

    /// The numbers of versions, the newest first, from the names of the pointer's children.
    package static func numbers(of names: [String]) -> [Int] {
        names.compactMap { PublishMachine.version(of: $0).map(Int.init) }.sorted(by: >)
    }

    /// Takes one event and says what to do, in this order.
    package mutating func handle(_ event: StepEvent) -> [StepAction<Output>] {
        switch event {
        case .start:
            guard state == .idle else { return [] }
            state = .listing
            return [.request(.children(path))]
        case .answered(let answer, _): return answered(answer)
        case .failed(let code, let refused): return failed(code, at: refused)
        case .changed, .elapsed, .connected: return []
        case .cancelled: return end(.cancelled)
        case .deadlinePassed: return end(.deadlineExceeded)
        case .sessionOver(let code): return end(code)
        }
    }

    private mutating func answered(_ answer: StepAnswer) -> [StepAction<Output>] {
        switch (state, answer) {
        case (.listing, .children(let children)): return listed(Self.numbers(of: children.names))
        case (.makingParents, .done):
            state = .examining
            return [.request(.exists(path))]
        case (.examining, .exists(let stat)):
            // Empty still: whoever is first points.
            guard let stat, stat.dataLength == 0 else { return finish(.beaten) }
            return switchOver(pointerVersion: stat.version)
        case (.switching(let number), .written(let results)):
            guard case .dataSet(let stat)? = results.first else { return end(.protocolViolation) }
            return finish(.published(.init(number: number, pointer: stat, values: values), known: known))
        default: return []
        }
    }

    private mutating func failed(_ code: ZooKeeperError.Code, at refused: String?) -> [StepAction<Output>] {
        switch state {
        case .listing where code == .noNode: return listed([])
        case .switching where code == .badVersion || code == .nodeExists || code == .noNode: return finish(.beaten)
        case .listing, .makingParents, .examining, .switching: return end(code, at: refused)
        case .idle, .over: return []
        }
    }

    // MARK: - Steps

    private mutating func listed(_ numbers: [Int]) -> [StepAction<Output>] {
        known = numbers
        if let base { return switchOver(pointerVersion: base.pointerVersion) }
        state = .makingParents
        return [.request(.makeParents(path, .persistent))]
    }

    private mutating func switchOver(pointerVersion: Int32) -> [StepAction<Output>] {
        let number = max(known.first ?? -1, base?.number ?? -1) + 1
        let version = SnapshotMachine.path(of: number, below: path)
        state = .switching(number: number)
        var operations: [Operation] = [
            .setData(path, Array(NodePath(version).name), version: pointerVersion), .create(version, [], acl: acl),
        ]
        for (key, bytes) in values.sorted(by: { $0.key < $1.key }) {
            operations.append(.create(NodePath.text(of: key, below: version), bytes, acl: acl))
        }
        return [.request(.write(operations))]
    }

    private mutating func finish(_ output: Output) -> [StepAction<Output>] {
        state = .over
        return [.finish(output)]
    }

    private mutating func end(_ code: ZooKeeperError.Code, at refused: String? = nil) -> [StepAction<Output>] {
        guard state != .over else { return [] }
        state = .over
        return [.fail(StepFailure(code, at: refused ?? path))]
    }
}

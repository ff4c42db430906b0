import ConclaveClient
import ConclaveCore

/// Removes a version of a set of values that is not pointed at, whole or not at all: event in, actions out.
///
/// Under the version of the pointer, so that nobody can go back to a version while it goes. If somebody else has removed
/// it or has switched the pointer, it is left to the next publication.
package struct VersionRemoval: StepMachine {
    package enum State: Hashable, Sendable {
        case idle
        case pointing
        case listing(pointerVersion: Int32)
        case removing
        case suspended
        case over
    }

    package private(set) var state = State.idle
    private let path: String
    private let number: Int
    private var version: String { SnapshotMachine.path(of: number, below: path) }

    package init(of number: Int, at path: String) {
        self.number = number
        self.path = path
    }

    /// Takes one event and says what to do, in this order.
    package mutating func handle(_ event: StepEvent) -> [StepAction<Void>] {
        switch (state, event) {
        case (.over, _): return []
        case (.idle, .start), (.suspended, .connected):
            state = .pointing
            return [.request(.data(path))]
        case (.pointing, .answered(.data(let pointer), _)):
            guard SnapshotMachine.number(of: pointer.bytes) != number else { return finish() }
            state = .listing(pointerVersion: pointer.stat.version)
            return [.request(.children(version))]
        case (.listing(let pointerVersion), .answered(.children(let children), _)):
            let version = version
            state = .removing
            return [
                .request(
                    .write(
                        [.check(path, version: pointerVersion)]
                            + children.names.map { .delete(NodePath.text(of: $0, below: version)) }
                            + [.delete(version)]))
            ]
        case (.removing, .answered(.written, _)): return finish()
        case (_, .failed(let code, let refused)):
            if code == .noNode || code == .badVersion { return finish() }
            guard code.isWorthReconnecting else { return end(code, at: refused) }
            state = .suspended
            return [.awaitConnection]
        case (_, .cancelled): return end(.cancelled)
        case (_, .deadlinePassed): return end(.deadlineExceeded)
        case (_, .sessionOver(let code)): return end(code)
        default: return []
        }
    }

    private mutating func finish() -> [StepAction<Void>] {
        state = .over
        return [.finish(())]
    }

    private mutating func end(_ code: ZooKeeperError.Code, at refused: String? = nil) -> [StepAction<Void>] {
        state = .over
        return [.fail(StepFailure(code, at: refused ?? path))]
    }
}

import ConclaveClient
import ConclaveCore

/// What stands between being first in the queue and being granted: the delay that a lost hold has left, and the marker
/// that the next hold leaves for the same case.
///
/// The first who finds a marker without its holder writes to it, which dates the finding by the leader's clock: the
/// loss was not later. Whoever has come after that date counts from it, by the dates of the own node and of the
/// marker; whoever was there before waits for the whole delay by the own clock. So the delay is never cut short, if the
/// leaders' clocks do not jump forward.
///
/// ```
/// idle ─┬─markers left──▶ looking ──▶ stamping ──▶ looking ──▶ arming ──▶ waiting ─┐
///       │                    └──────────────── all are over ──────────────────────┤
///       └────────────────────────────────────────────────────────────▶ marking ◀──┘──▶ settled
/// ```
package struct DelayMachine: StepMachine {
    package enum Output: Hashable, Sendable {
        case settled
        /// A try does not wait for a delay to be over; it has dated the markers.
        case busy
    }

    enum State: Hashable, Sendable {
        case idle
        case looking
        case stamping
        case arming(milliseconds: Int64)
        case waiting
        case marking
        case suspended
        case syncing
        case confirming
        case leaving
        case over
    }

    /// The paths of the own node and of the marker to be made, if there is to be one.
    let own: String
    let marker: String?
    let patience: AttemptPatience
    /// Paths and delays of what lost holds have left.
    var orphans: [(path: String, delayMilliseconds: Int64)]
    var areOver = false
    var state = State.idle

    package init(own: String, marker: String?, orphans: [HoldMarker], below parent: String, patience: AttemptPatience) {
        self.own = own
        self.marker = marker
        self.patience = patience
        self.orphans = orphans.map { (NodePath.text(of: $0.text, below: parent), $0.delayMilliseconds) }
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Output>] {
        switch event {
        case .start:
            guard state == .idle else { return [] }
            return orphans.isEmpty ? mark() : look()
        case .answered(let answer, let isWindowOpen): return answered(answer, isWindowOpen: isWindowOpen)
        case .failed(let code, let path): return failed(code, at: path)
        case .changed:
            return state == .waiting ? look() : []
        case .elapsed:
            guard state == .waiting else { return [] }
            areOver = true
            return mark()
        case .connected:
            guard state == .suspended else { return [] }
            state = .syncing
            return [.request(.sync(own))]
        case .cancelled:
            return withdraw(StepFailure(.cancelled, message: "the task was cancelled while it competed"))
        case .deadlinePassed:
            return withdraw(StepFailure(.deadlineExceeded, message: "the deadline passed during the lock-delay"))
        case .sessionOver(let code):
            guard state != .over else { return [] }
            state = .over
            return [.fail(StepFailure(code))]
        }
    }

    // MARK: - Answers

    private mutating func answered(_ answer: StepAnswer, isWindowOpen: Bool) -> [StepAction<Output>] {
        switch (state, answer) {
        case (.looking, .read(let readings)): return looked(readings)
        case (.stamping, .written): return look()
        case (.arming(let milliseconds), .exists(let stat)):
            guard stat != nil else { return gone() }
            state = .waiting
            return [.wait(upTo: .milliseconds(milliseconds))]
        case (.marking, .written): return settle(isWindowOpen: isWindowOpen)
        case (.syncing, .done): return orphans.isEmpty || areOver ? mark() : look()
        case (.confirming, .exists(let stat)):
            return stat == nil ? gone() : settle(isWindowOpen: isWindowOpen)
        case (.leaving, .written): return finish(.busy)
        default: return []
        }
    }

    private mutating func looked(_ readings: [StepReading]) -> [StepAction<Output>] {
        guard case .data(let node)? = readings.first else { return gone() }
        var left: [(path: String, delayMilliseconds: Int64)] = []
        var milliseconds: Int64 = 0
        for (orphan, reading) in zip(orphans, readings.dropFirst()) {
            guard case .data(let found) = reading else { continue }
            left.append(orphan)
            guard !areOver else { continue }
            if found.stat.version == 0 {
                state = .stamping
                return [.request(.write([.setData(orphan.path, [], version: 0)]))]
            }
            // By transactions, not by dates: who was there before the date has to wait for all of it, also if the clock
            // has been set back meanwhile.
            let isLater = node.stat.czxid > found.stat.mzxid
            let passed = isLater ? max(0, node.stat.ctime - found.stat.mtime) : 0
            milliseconds = max(milliseconds, orphan.delayMilliseconds - passed)
        }
        orphans = left
        guard milliseconds > 0 else { return mark() }
        if patience == .once {
            state = .leaving
            return [.request(.write([.delete(own)]))]
        }
        state = .arming(milliseconds: milliseconds)
        return [.request(.exists(own, watch: true))]
    }

    private mutating func failed(_ code: ZooKeeperError.Code, at path: String?) -> [StepAction<Output>] {
        if code.isWorthReconnecting {
            guard patience == .wait else { return withdraw(StepFailure(code)) }
            state = .suspended
            return [.awaitConnection]
        }
        switch state {
        case .idle, .over: return []
        case .stamping where code == .badVersion || code == .noNode: return look()
        case .marking where code == .noNode && path == own: return gone()
        case .marking where code == .noNode:
            // Somebody else has cleared one of the markers, or a transaction of ours whose answer was lost.
            guard let cleared = orphans.firstIndex(where: { $0.path == path }) else { break }
            orphans.remove(at: cleared)
            return mark()
        case .marking where code == .nodeExists:
            state = .confirming
            return [.request(.exists(own))]
        case .leaving where code == .noNode: return finish(.busy)
        default: break
        }
        return withdraw(StepFailure(code, at: path))
    }

    // MARK: - Orders

    private mutating func look() -> [StepAction<Output>] {
        state = .looking
        return [.request(.read([.data(own)] + orphans.map { .data($0.path) }))]
    }

    /// Clears what was left and leaves the own marker, all in one transaction that the own node must survive.
    private mutating func mark() -> [StepAction<Output>] {
        state = .marking
        var operations: [Operation] = [.check(own)]
        operations += orphans.map { .delete($0.path) }
        if let marker { operations.append(.create(marker, [], mode: .persistent)) }
        return [.request(.write(operations))]
    }

    private mutating func settle(isWindowOpen: Bool) -> [StepAction<Output>] {
        guard isWindowOpen else {
            orphans = []
            return failed(.connectionLoss, at: nil)
        }
        return finish(.settled)
    }

    /// The own node has gone: the place in the queue is lost, and the caller queues again.
    private mutating func gone() -> [StepAction<Output>] {
        state = .over
        return (marker.map { [.clean([.delete($0)])] } ?? []) + [.fail(StepFailure(.noNode, at: own))]
    }

    private mutating func finish(_ output: Output) -> [StepAction<Output>] {
        state = .over
        return [.finish(output)]
    }

    private mutating func withdraw(_ failure: StepFailure) -> [StepAction<Output>] {
        guard state != .over else { return [] }
        state = .over
        return [.clean((marker.map { [.delete($0)] } ?? []) + [.delete(own)]), .fail(failure)]
    }
}

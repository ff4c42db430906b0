import ConclaveClient
import ConclaveCore

extension Contenders {
    /// Competes until it holds; `nil` only if `patience` is `.once` and somebody was in the way.
    ///
    /// Requests: create and list without competition; two watches more and one listing per wake-up with it.
    ///
    /// - Parameters:
    ///   - isShared: whether others that are shared do not exclude it; else what the kind says.
    ///   - delay: how long the next one has to wait if this hold ends without a release.
    func acquire(
        _ kind: ContenderKind, isShared: Bool? = nil, patience: AttemptPatience, deadline: Deadline,
        delay: Duration? = nil, report: PositionReport? = nil
    ) async throws(ZooKeeperError) -> Hold? {
        let isShared = isShared ?? kind.isShared
        return try await deadline.limit { (expiry: Expiry) async throws(ZooKeeperError) -> Hold? in
            var generator = SystemRandomNumberGenerator()
            for _ in 0..<ContenderMachine.retryLimit {
                let machine = ContenderMachine(
                    attempt: AttemptID(using: &generator), session: client.sessionID, isShared: isShared,
                    patience: patience, ownHolds: TaskHolds.names(under: path))
                var shell = ContenderShell(
                    contenders: self, kind: kind, machine: machine, expiry: expiry, report: report)
                guard let place = try await shell.run() else { return nil }
                let marker = delay.map { HoldMarker(of: place.attempt, delay: $0) }
                switch try await settle(place, marker, patience, expiry) {
                case .settled: break
                case .busy: return nil
                case nil: continue
                }
                guard place.isDated, kind == .latch else { return hold(place, isShared: isShared, marker: marker) }
                // An election in which a leader has handed over out of turn.
                guard let renewed = try await renewTerm(place, expiry) else { continue }
                return hold(renewed, isShared: isShared, marker: marker)
            }
            throw ZooKeeperError(.noNode, path: path, message: "the own node is removed again and again")
        }
    }

    /// Waits for what lost holds have left behind, and leaves a marker if there is to be one; `nil` if the own node has
    /// been removed meanwhile. No request if there is nothing to be done.
    private func settle(
        _ place: ContenderShell.Place, _ marker: HoldMarker?, _ patience: AttemptPatience, _ expiry: Expiry
    ) async throws(ZooKeeperError) -> DelayMachine.Output? {
        guard marker != nil || !place.orphans.isEmpty else { return .settled }
        let machine = DelayMachine(
            own: node(place.node.name.text), marker: marker.map { node($0.text) }, orphans: place.orphans, below: path,
            patience: patience)
        var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
        do {
            return try await runner.run(expiry: expiry)
        } catch let error where error.code == .noNode {
            return nil
        }
    }

    private func hold(_ place: ContenderShell.Place, isShared: Bool, marker: HoldMarker?) -> Hold {
        let hold = Hold(
            client: client, cleaner: cleaner, parent: path, path: node(place.node.name.text),
            token: FencingToken(place.node.czxid), isShared: isShared, removal: .byName,
            marker: marker.map { node($0.text) })
        hold.begin(ownWatch: place.ownWatch)
        return hold
    }
}

extension Contenders {
    /// The error of an attempt that ended without a hold.
    func error(for ending: AttemptEnding, last: ZooKeeperError?) -> ZooKeeperError {
        switch ending {
        case .failed(let code):
            return if let last, last.code == code { last } else { ZooKeeperError(code, path: path) }
        case .cancelled:
            return ZooKeeperError(.cancelled, path: path, message: "the task was cancelled while it competed")
        case .deadlinePassed:
            return ZooKeeperError(.deadlineExceeded, path: path, message: "the deadline passed in the queue")
        case .selfDeadlock:
            return ZooKeeperError(.selfDeadlock, path: path)
        case .sequenceExhausted:
            let limit = ContenderName.lastSequence
            return ZooKeeperError(
                .sequenceExhausted, path: path,
                message: "the parent has given out sequence numbers up to \(limit); use a fresh path")
        case .busy, .released, .lost:
            preconditionFailure("an attempt does not end as \(ending)")
        }
    }

    /// Deletes every child that bears the id of an attempt.
    func sweep(_ attempt: AttemptID) async throws(ZooKeeperError) {
        try await client.sweep(below: path, mark: attempt.text)
    }
}

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
        try await deadline.limit { (expiry: Expiry) async throws(ZooKeeperError) -> Hold? in
            var generator = SystemRandomNumberGenerator()
            let plan = QueueingMachine.Plan(
                path: path, kind: kind, isShared: isShared, patience: patience, delay: delay,
                lookInterval: report?.interval, ownHolds: TaskHolds.names(under: path), identity: identity, acl: acl)
            let machine = QueueingMachine(plan, attempt: AttemptID(using: &generator), session: client.sessionID)
            var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
            if let report {
                runner.observer = { machine in
                    if let position = machine.position { report.tell(position) }
                }
            }
            guard case .place(let place) = try await runner.run(expiry: expiry) else { return nil }
            let own = node(place.node.name.text)
            let hold = Hold(
                client: client, cleaner: cleaner, parent: path, path: own, token: FencingToken(place.node.czxid),
                isShared: isShared ?? kind.isShared, removal: .byName, marker: place.marker)
            hold.begin(ownWatch: runner.takeWatch(onExistenceOf: own))
            return hold
        }
    }
}

extension Contenders {
    /// The error of an attempt that ended without a hold.
    func error(for ending: AttemptEnding, last: ZooKeeperError?) -> ZooKeeperError {
        let failure = ending.failure
        if failure.message == nil, let last, last.code == failure.code { return last }
        return ZooKeeperError(failure.code, path: path, message: failure.message)
    }

    /// Deletes every child that bears the id of an attempt.
    func sweep(_ attempt: AttemptID) async throws(ZooKeeperError) {
        try await client.sweep(below: path, mark: attempt.text)
    }
}

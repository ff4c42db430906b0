import ConclaveClient
import ConclaveCore
import Synchronization

extension QueueCore {
    /// The most items, and bytes, of one transaction.
    static var batchLimit: Int { 100 }
    static var batchBytes: Int { 512 * 1024 }

    /// Puts items one behind the other, in transactions of at most a hundred.
    ///
    /// - Parameter waits: whether to wait for room.
    /// - Returns: whether there was room; in parts only if nobody was to wait and the first parts had room.
    @discardableResult
    func put(
        _ items: [Item], at place: ItemPlace, waits: Bool, timeout: Duration?
    ) async throws -> Bool {
        guard let prefix = settings.layout.prefix(for: place) else {
            throw ZooKeeperError(
                .badArguments, path: settings.path, message: "the layout of this queue has no place \(place)")
        }
        let payloads = try items.map { settings.layout.data(for: try $0.queueBytes()) }
        let path = NodePath.text(of: prefix, below: nodes.items)
        let deadline = Deadline(after: timeout)
        var rest = payloads[...]
        while !rest.isEmpty {
            var batch: [Operation] = []
            var bytes = 0
            while let payload = rest.first, batch.count < min(Self.batchLimit, settings.limit ?? .max),
                batch.isEmpty || bytes + payload.count <= Self.batchBytes
            {
                batch.append(.create(path, payload, mode: .persistentSequential, acl: settings.acl))
                bytes += payload.count
                rest = rest.dropFirst()
            }
            let creates = batch
            let isPut = try await deadline.limit { [self] (expiry: Expiry) async throws(ZooKeeperError) -> Bool in
                try await put(creates, waits: waits, expiry)
            }
            guard isPut else { return false }
        }
        return true
    }

    private func put(_ creates: [Operation], waits: Bool, _ expiry: Expiry) async throws(ZooKeeperError) -> Bool {
        try checkCancellation(expiry)
        if try await putIfRoom(creates) { return true }
        guard waits else { return false }
        // One of those who wait watches the queue, the others the one before them.
        let place = try await standInLine(putters, expiry)
        defer { place.abandon() }
        while true {
            let goal = QueueWaitMachine.Goal.room(limit: (settings.limit ?? .max) - creates.count + 1)
            _ = try await run(QueueWaitMachine(nodes: nodes, ordering: .arrival, goal: goal), expiry)
            if try await putIfRoom(creates) { return true }
            try checkCancellation(expiry)
        }
    }

    private func putIfRoom(_ creates: [Operation]) async throws(ZooKeeperError) -> Bool {
        let (hasCredit, last) = state.withLock { state in
            guard state.credit >= creates.count else { return (false, state.lastSequence) }
            state.credit -= creates.count
            return (true, state.lastSequence)
        }
        guard last <= QueueItemName.lastSequence else {
            throw ZooKeeperError(.sequenceExhausted, path: settings.path)
        }
        var generator = SystemRandomNumberGenerator()
        let machine = QueuePutMachine(
            nodes: nodes, creates: creates, limit: hasCredit ? nil : settings.limit, mark: takeMark(),
            attempt: AttemptID(using: &generator), session: client.sessionID, acl: settings.acl)
        let output = try await runToEnd(machine)
        giveBack(output.mark)
        guard case .put(let sequence) = output.outcome else { return false }
        state.withLock { state in
            if let room = output.room { state.credit = min(Self.creditLimit, room / 16) }
            // A negative number tells that the counter has overflowed.
            if let sequence { state.lastSequence = sequence < 0 ? .max : max(state.lastSequence, sequence) }
        }
        return true
    }
}

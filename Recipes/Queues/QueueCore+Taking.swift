import ConclaveClient
import ConclaveCore
import Synchronization

/// An item that was taken or claimed.
struct QueueGot<Item: QueueItem>: Sendable {
    let item: Item
    let candidate: QueueCandidate
    /// The item's bytes without an envelope.
    let bytes: [UInt8]
}

extension QueueCore {
    /// Takes items: at least one if the caller waits, at most `count`.
    func take(upTo count: Int, waits: Bool, timeout: Duration?) async throws(ZooKeeperError) -> [QueueGot<Item>] {
        guard count > 0 else { return [] }
        return try await Deadline(after: timeout).limit {
            [self] (expiry: Expiry) async throws(ZooKeeperError) -> [QueueGot<Item>] in
            try await get(waits: waits, expiry) { () async throws(ZooKeeperError) -> Attempt<[QueueGot<Item>]> in
                try await attemptTake(upTo: count, expiry)
            } ?? []
        }
    }

    /// Claims an item for a consumer.
    func claim(waits: Bool, timeout: Duration?) async throws(ZooKeeperError) -> QueueDelivery<Item>? {
        try await Deadline(after: timeout).limit {
            [self] (expiry: Expiry) async throws(ZooKeeperError) -> QueueDelivery<Item>? in
            try await get(waits: waits, expiry) { () async throws(ZooKeeperError) -> Attempt<QueueDelivery<Item>> in
                try await attemptClaim(expiry)
            }
        }
    }

    /// Takes the first item, for which it waits.
    func takeFirst(timeout: Duration?) async throws(ZooKeeperError) -> Item {
        let got = try await take(upTo: 1, waits: true, timeout: timeout)
        guard let first = got.first else { throw ZooKeeperError(.deadlineExceeded, path: settings.path) }
        return first.item
    }

    /// Claims the first item, for which it waits.
    func claimFirst(timeout: Duration?) async throws(ZooKeeperError) -> QueueDelivery<Item> {
        guard let delivery = try await claim(waits: true, timeout: timeout) else {
            throw ZooKeeperError(.deadlineExceeded, path: settings.path)
        }
        return delivery
    }

    enum Attempt<Got: Sendable>: Sendable {
        case got(Got)
        /// There is nothing free; these are of no use to this client.
        case nothing(unusable: Set<String>)
    }

    /// Attempts, and in between waits in line until there is something to attempt.
    private func get<Got: Sendable>(
        waits: Bool, _ expiry: Expiry, _ attempt: () async throws(ZooKeeperError) -> Attempt<Got>
    ) async throws(ZooKeeperError) -> Got? {
        var place: Hold?
        defer { place?.abandon() }
        while true {
            let ignored: Set<String>
            switch try await attempt() {
            case .got(let got): return got
            case .nothing(let unusable): ignored = unusable
            }
            guard waits else { return nil }
            if place?.isLive != true { place = try await standInLine(takers, expiry) }
            let goal = QueueWaitMachine.Goal.item(ignoring: ignored, now: ClientClock.wallMilliseconds)
            let seen = try await run(QueueWaitMachine(nodes: nodes, ordering: settings.ordering, goal: goal), expiry)
            // Enough for the next in line too: it need not wait until this one has got its own.
            if seen > 1 {
                place?.abandon()
                place = nil
            }
        }
    }

    // MARK: - Attempts

    private func attemptTake(
        upTo count: Int, _ expiry: Expiry
    ) async throws(ZooKeeperError) -> Attempt<[QueueGot<Item>]> {
        while true {
            var (drawn, unusable) = try await draw(upTo: count, claims: false, expiry)
            if drawn.isEmpty { return .nothing(unusable: unusable) }
            while !drawn.isEmpty {
                var generator = SystemRandomNumberGenerator()
                let machine = QueueTakeMachine(
                    nodes: nodes, candidates: drawn.map(\.candidate),
                    purpose: .take(takeMark(), AttemptID(using: &generator)), session: client.sessionID,
                    acl: settings.acl)
                let output = try await runToEnd(machine, for: drawn)
                if let mark = output.mark { giveBack(mark) }
                switch output.outcome {
                case .got:
                    state.withLock { state in
                        for got in drawn { state.window.settleWon(got.candidate) }
                    }
                    return .got(drawn)
                case .lost(let path): drawn.removeAll { lose($0.candidate, ifAt: path) }
                }
            }
        }
    }

    private func attemptClaim(_ expiry: Expiry) async throws(ZooKeeperError) -> Attempt<QueueDelivery<Item>> {
        while true {
            let (drawn, unusable) = try await draw(upTo: 1, claims: true, expiry)
            guard let got = drawn.first else { return .nothing(unusable: unusable) }
            if let limit = settings.deliveryLimit, got.candidate.version >= limit {
                try await bury(got.candidate, [got.bytes])
                continue
            }
            var generator = SystemRandomNumberGenerator()
            let data = QueueClaim.data(AttemptID(using: &generator), identity: settings.identity)
            let machine = QueueTakeMachine(
                nodes: nodes, candidates: [got.candidate], purpose: .claim(data), session: client.sessionID,
                acl: settings.acl)
            switch try await runToEnd(machine, for: drawn).outcome {
            case .got(let zxid):
                state.withLock { $0.window.settleWon(got.candidate) }
                return .got(QueueDelivery(got, token: FencingToken(zxid), core: self))
            case .lost(let path): _ = lose(got.candidate, ifAt: path)
            }
        }
    }

    private func runToEnd(
        _ machine: QueueTakeMachine, for drawn: [QueueGot<Item>]
    ) async throws(ZooKeeperError) -> QueueTakeMachine.Output {
        do {
            return try await runToEnd(machine)
        } catch {
            state.withLock { $0.window.giveBack(drawn.map(\.candidate)) }
            throw error
        }
    }

    private func lose(_ candidate: QueueCandidate, ifAt path: String) -> Bool {
        guard nodes.item(candidate.name) == path else { return false }
        state.withLock { $0.window.settleLost(candidate) }
        return true
    }

    // MARK: - Reading ahead

    /// Items to try, read before or now; none if there are none. What is no item goes to the dead letters.
    private func draw(
        upTo count: Int, claims: Bool, _ expiry: Expiry
    ) async throws(ZooKeeperError) -> (drawn: [QueueGot<Item>], unusable: Set<String>) {
        while true {
            try checkCancellation(expiry)
            let candidates = state.withLock { $0.window.draw(upTo: count) }
            guard !candidates.isEmpty else {
                let fetch = try await fetch(claims: claims, expiry)
                if fetch.isEmpty { return ([], fetch.unusable) }
                continue
            }
            let drawn = try await sort(candidates)
            if !drawn.isEmpty { return (drawn, []) }
        }
    }

    /// Reads ahead, once for all who wait for it.
    private func fetch(claims: Bool, _ expiry: Expiry) async throws(ZooKeeperError) -> Fetch {
        let (signal, plan) = state.withLock { state -> (Signal<Result<Fetch, ZooKeeperError>>, QueueFetchPlan?) in
            if let fetch = state.fetch { return (fetch, nil) }
            let signal = Signal<Result<Fetch, ZooKeeperError>>()
            state.fetch = signal
            return (signal, state.window.plan(using: &state.random))
        }
        if let plan {
            let machine = QueueFetchMachine(
                nodes: nodes, ordering: settings.ordering, plan: plan, now: ClientClock.wallMilliseconds,
                asksForClaims: claims)
            // Others may share what it brings, so the cancellation of one does not stop it.
            Task { [self] in
                let result: Result<QueueFetched, ZooKeeperError>
                do throws(ZooKeeperError) {
                    result = .success(try await run(machine, Expiry()))
                } catch {
                    result = .failure(error)
                }
                state.withLock { state in
                    state.fetch = nil
                    if case .success(let fetched) = result { state.window.learn(fetched) }
                }
                signal.fire(result.map { Fetch(isEmpty: $0.candidates.isEmpty, unusable: $0.unusable) })
            }
        }
        do {
            return try await signal.wait().get()
        } catch let error as ZooKeeperError {
            throw error
        } catch {
            throw cancelled(expiry)
        }
    }

    // MARK: - What is no item

    /// Keeps what can be used: several items of Curator in one node are put apart, what cannot be read is buried.
    private func sort(_ candidates: [QueueCandidate]) async throws(ZooKeeperError) -> [QueueGot<Item>] {
        var usable: [QueueGot<Item>] = []
        for (place, candidate) in candidates.enumerated() {
            let contents = Self.contents(of: candidate.data, in: candidate.name)
            if contents.count == 1, let item = try? Item(queueBytes: contents[0]) {
                // Why others are no items is told by whoever reads the dead letters.
                usable.append(QueueGot(item: item, candidate: candidate, bytes: contents[0]))
                continue
            }
            do {
                if contents.count > 1 {
                    try await part(candidate, contents)
                } else {
                    try await bury(candidate, contents)
                }
            } catch {
                let untried = usable.map(\.candidate) + candidates[place...]
                state.withLock { $0.window.giveBack(untried) }
                throw error
            }
        }
        return usable
    }

    /// Puts several items that lie in one node into nodes of their own, at the end of the queue.
    private func part(_ candidate: QueueCandidate, _ contents: [[UInt8]]) async throws(ZooKeeperError) {
        // The same rank, so the same prefix.
        let path = NodePath.text(of: String(candidate.name.text.dropLast(10)), below: nodes.items)
        try await move(candidate, to: path, contents.map { CuratorEnvelope.seal([$0]) }, parent: nodes.items)
    }

    /// Moves an item to the dead letters.
    func bury(_ candidate: QueueCandidate, _ contents: [[UInt8]]) async throws(ZooKeeperError) {
        try await move(candidate, to: NodePath.text(of: "qn-", below: nodes.dead), contents, parent: nodes.dead)
    }

    private func move(
        _ candidate: QueueCandidate, to path: String, _ payloads: [[UInt8]], parent: String
    ) async throws(ZooKeeperError) {
        let creates = payloads.map {
            Operation.create(path, $0, mode: .persistentSequential, acl: settings.acl)
        }
        let machine = QueueTakeMachine(
            nodes: nodes, candidates: [candidate], purpose: .move(creates, parent: parent), session: client.sessionID,
            acl: settings.acl)
        // Whether it was this client or another that moved it: it is gone.
        _ = try await runToEnd(machine)
        state.withLock { $0.window.settleWon(candidate) }
    }
}

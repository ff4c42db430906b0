import ConclaveClient
import ConclaveCore

/// Reads free items from the head of a queue: lists, leaves out what is claimed or not due, reads data in one request.
///
/// ```
/// start ──▶ list names ──▶ list claims ──▶ read data ──▶ finish
///             │ names known      │ only where they matter   │ all gone: the next ones, at last a new listing
/// ```
///
/// It only reads, so after a lost connection it simply asks again.
package struct QueueFetchMachine: StepMachine {
    private enum State: Hashable, Sendable {
        case idle
        case listing
        case listingClaims
        case reading([QueueItemName])
        case ended
    }

    private let nodes: QueueNodes
    private let ordering: QueueOrdering
    private let plan: QueueFetchPlan
    /// Wall time in milliseconds, for items that are due later.
    private let now: Int64
    /// Whether claims are asked for before data: those who claim leave out what others have.
    private let asksForClaims: Bool

    private var state = State.idle
    private var names: [QueueItemName]
    private var hasListed = false
    private var claimed: Set<String>?
    private var fetched = QueueFetched()
    private var lastRequest: StepRequest?

    package init(nodes: QueueNodes, ordering: QueueOrdering, plan: QueueFetchPlan, now: Int64, asksForClaims: Bool) {
        self.nodes = nodes
        self.ordering = ordering
        self.plan = plan
        self.now = now
        self.asksForClaims = asksForClaims
        names = plan.names
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<QueueFetched>] {
        if state == .ended { return [] }
        if let ending = event.ending {
            state = .ended
            return [.fail(ending)]
        }
        switch (state, event) {
        case (.idle, .start): return names.isEmpty ? list() : goOn()
        case (.listing, .answered(.children(let children), _)): return listed(children.names)
        case (.listingClaims, .answered(.children(let children), _)): return learned(claims: Set(children.names))
        case (.reading(let asked), .answered(.dataOfMany(let data), _)): return read(asked, data)
        case (.listing, .failed(.noNode, _)): return listed([])
        case (.listingClaims, .failed(.noNode, _)): return learned(claims: [])
        case (.reading(let asked), .failed(.marshallingError, _)) where asked.count > 1: return readFirst(of: asked)
        // Perhaps the answer was too long for the connection.
        case (.reading(let asked), .connected) where asked.count > 1: return readFirst(of: asked)
        case (_, .connected): return lastRequest.map { [.request($0)] } ?? []
        case (_, .failed(let code, let path)):
            if code.isWorthReconnecting { return [.awaitConnection] }
            state = .ended
            return [.fail(StepFailure(code, at: path))]
        default: return []
        }
    }

    // MARK: - Steps

    private mutating func ask(_ request: StepRequest, _ next: State) -> [StepAction<QueueFetched>] {
        state = next
        lastRequest = request
        return [.request(request)]
    }

    private mutating func list() -> [StepAction<QueueFetched>] {
        hasListed = true
        return ask(.children(nodes.items), .listing)
    }

    private mutating func listed(_ children: [String]) -> [StepAction<QueueFetched>] {
        names = children.compactMap { name in
            plan.excluded.contains(name) ? nil : QueueItemName(name, ordering: ordering)
        }
        names.sort()
        claimed = nil
        return names.isEmpty || !asksForClaims ? goOn() : ask(.children(nodes.claims), .listingClaims)
    }

    private mutating func learned(claims: Set<String>) -> [StepAction<QueueFetched>] {
        claimed = claims
        names.removeAll { claims.contains($0.text) }
        fetched.candidates.removeAll { claims.contains($0.name.text) }
        return fetched.candidates.isEmpty ? goOn() : finish()
    }

    /// Reads the next ones, lists if none are known, ends if there are none.
    private mutating func goOn() -> [StepAction<QueueFetched>] {
        let chunk = nextChunk()
        if !chunk.isEmpty {
            names.removeSubrange(chunk)
            return ask(.dataOfMany(reading.map(nodes.item)), .reading(reading))
        }
        return hasListed ? finish() : list()
    }

    /// Servers refuse to read too much at once: one item can always be read.
    private mutating func readFirst(of asked: [QueueItemName]) -> [StepAction<QueueFetched>] {
        names = (names + asked.dropFirst()).sorted()
        reading = Array(asked.prefix(1))
        return ask(.dataOfMany(reading.map(nodes.item)), .reading(reading))
    }

    /// The names that ``nextChunk()`` chose.
    private var reading: [QueueItemName] = []

    /// Chooses names: from the head, or so far from it as the plan says, but never past those that are equal in rank.
    private mutating func nextChunk() -> Range<Int> {
        let equals = equalCount
        guard equals > 0 else { return 0..<0 }
        let start = min(plan.offset, max(0, equals - plan.size))
        let chunk = start..<min(start + plan.size, equals)
        reading = Array(names[chunk])
        return chunk
    }

    /// How many of the first names may be taken in any order: those that are due, or those of the first rank.
    private var equalCount: Int {
        guard let first = names.first else { return 0 }
        return switch ordering {
        case .arrival: names.count
        case .priority: names.firstIndex { $0.rank != first.rank } ?? names.count
        case .due: names.firstIndex { $0.rank > now } ?? names.count
        }
    }

    private mutating func read(_ asked: [QueueItemName], _ data: [NodeData?]) -> [StepAction<QueueFetched>] {
        for (name, node) in zip(asked, data) {
            guard let node else {
                fetched.unusable.insert(name.text)
                continue
            }
            fetched.candidates.append(QueueCandidate(name: name, data: node.bytes, version: node.stat.version))
        }
        guard !fetched.candidates.isEmpty else { return goOn() }
        // What was never handed out is not claimed; the version says so.
        if fetched.candidates.contains(where: { $0.version != 0 }) {
            guard let claimed else { return ask(.children(nodes.claims), .listingClaims) }
            return learned(claims: claimed)
        }
        return finish()
    }

    private mutating func finish() -> [StepAction<QueueFetched>] {
        state = .ended
        fetched.rest = names
        return [.finish(fetched)]
    }
}

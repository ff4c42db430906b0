/// Looks for an order of concurrent operations that one server without faults could have followed.
///
/// For histories whose order nobody tells, such as reads that promise to be linearizable. Goes through the operations
/// in the order of time, tries each that may come next, and remembers what it has been through: a set of operations
/// together with the state they lead to is tried once.
///
/// Source: Wing and Gong, Testing and verifying concurrent objects (1993); Lowe, Testing for linearizability (2017).
package struct LinearizabilitySearch<Specification: SequentialSpecification> {
    package struct Operation: Sendable {
        package var request: Specification.Request
        package var askedAt: UInt64
        /// `nil`: nobody knows whether it happened.
        package var response: Specification.Response?
        package var answeredAt: UInt64

        package init(
            _ request: Specification.Request, askedAt: UInt64, response: Specification.Response?,
            answeredAt: UInt64 = .max
        ) {
            self.request = request
            self.askedAt = askedAt
            self.response = response
            self.answeredAt = response == nil ? .max : answeredAt
        }
    }

    package enum Verdict: Equatable, Sendable {
        case linearizable
        case notLinearizable
        /// More steps than allowed.
        case undecided
    }

    private struct Visited: Hashable {
        var done: [UInt64]
        var state: Specification.State
    }

    package let stepLimit: Int

    package init(stepLimit: Int = 1_000_000) { self.stepLimit = stepLimit }

    package func judge(_ operations: [Operation]) -> Verdict {
        let sorted = operations.sorted { ($0.askedAt, $0.answeredAt) < ($1.askedAt, $1.answeredAt) }
        let mustHappen = sorted.count { $0.response != nil }
        var done = [UInt64](repeating: 0, count: sorted.count / 64 + 1)
        var state = Specification.initialState
        var answered = 0
        // Asked whether something is in it, never iterated.
        var visited: Set<Visited> = []
        /// The way to here: which operation, and the state before it.
        var path: [(operation: Int, state: Specification.State)] = []
        var next = 0
        var steps = 0
        while answered < mustHappen {
            steps += 1
            guard steps <= stepLimit else { return .undecided }
            if let (operation, after) = candidate(from: next, sorted, done, state) {
                done[operation / 64] |= 1 << UInt64(operation % 64)
                if visited.insert(Visited(done: done, state: after)).inserted {
                    path.append((operation, state))
                    state = after
                    if sorted[operation].response != nil { answered += 1 }
                    next = 0
                } else {
                    done[operation / 64] &= ~(1 << UInt64(operation % 64))
                    next = operation + 1
                }
            } else {
                guard let (operation, before) = path.popLast() else { return .notLinearizable }
                done[operation / 64] &= ~(1 << UInt64(operation % 64))
                state = before
                if sorted[operation].response != nil { answered -= 1 }
                next = operation + 1
            }
        }
        return .linearizable
    }

    /// The first operation from `start` on that may come next: nothing that is not done was answered before it was
    /// asked.
    private func candidate(
        from start: Int, _ sorted: [Operation], _ done: [UInt64], _ state: Specification.State
    ) -> (Int, Specification.State)? {
        var earliestAnswer = UInt64.max
        for index in sorted.indices where done[index / 64] & (1 << UInt64(index % 64)) == 0 {
            let operation = sorted[index]
            guard operation.askedAt < earliestAnswer else { return nil }
            earliestAnswer = min(earliestAnswer, operation.answeredAt)
            guard index >= start else { continue }
            if let after = Specification.step(state, operation.request, operation.response) { return (index, after) }
        }
        return nil
    }
}

/// What one object without faults does.
package protocol SequentialSpecification {
    associatedtype Request: Sendable
    associatedtype Response: Sendable
    associatedtype State: Hashable

    static var initialState: State { get }
    /// The state after a request, or `nil` if it could not have been answered like that; no response fits every answer.
    static func step(_ state: State, _ request: Request, _ response: Response?) -> State?
}

import ConclaveCore
import ConclaveSimulator
import Testing

/// A register of small numbers.
private enum RegisterSpecification: SequentialSpecification {
    enum Request: Sendable { case read, write(Int), swap(from: Int, to: Int) }
    enum Response: Sendable, Equatable { case value(Int), done(Bool) }

    static let initialState = 0

    static func step(_ state: Int, _ request: Request, _ response: Response?) -> Int? {
        let (after, right): (Int, Response) =
            switch request {
            case .read: (state, .value(state))
            case .write(let value): (value, .done(true))
            case .swap(let from, let to): state == from ? (to, .done(true)) : (state, .done(false))
            }
        return response == nil || response == right ? after : nil
    }
}

@Suite struct LinearizabilityTests {
    private typealias Search = LinearizabilitySearch<RegisterSpecification>
    private typealias Operation = Search.Operation

    @Test("Concurrent operations may take effect in either order")
    func concurrent() {
        for seen in [1, 2] {
            let verdict = Search().judge([
                Operation(.write(1), askedAt: 1, response: .done(true), answeredAt: 4),
                Operation(.write(2), askedAt: 2, response: .done(true), answeredAt: 3),
                Operation(.read, askedAt: 5, response: .value(seen), answeredAt: 6),
            ])
            #expect(verdict == .linearizable)
        }
    }

    @Test("A stale read is found")
    func staleRead() {
        let verdict = Search().judge([
            Operation(.write(1), askedAt: 1, response: .done(true), answeredAt: 2),
            Operation(.read, askedAt: 3, response: .value(0), answeredAt: 4),
        ])
        #expect(verdict == .notLinearizable)
    }

    @Test("An operation without an answer may have happened, or not, or much later")
    func unknown() {
        for (first, second, verdict) in [
            (0, 1, Search.Verdict.linearizable), (1, 1, .linearizable), (0, 0, .linearizable), (1, 0, .notLinearizable),
        ] {
            let found = Search().judge([
                Operation(.write(1), askedAt: 1, response: nil),
                Operation(.read, askedAt: 2, response: .value(first), answeredAt: 3),
                Operation(.read, askedAt: 4, response: .value(second), answeredAt: 5),
            ])
            #expect(found == verdict)
        }
    }

    @Test("A search that takes too long says so")
    func undecided() {
        let operations = (0..<12).map {
            Operation(.write($0), askedAt: 1, response: .done(true), answeredAt: 100)
        }
        let impossible = Operation(.read, askedAt: 101, response: .value(77), answeredAt: 102)
        #expect(Search(stepLimit: 50).judge(operations + [impossible]) == .undecided)
    }

    @Test("Random small histories are judged as by trying every order")
    func againstAllOrders() {
        var random = SeededRandom(seed: 11)
        var verdicts = Set<Bool>()
        for _ in 0..<600 {
            let operations = (0..<5).map { _ -> Operation in
                let asked = UInt64(random.below(12))
                let answered = asked + 1 + UInt64(random.below(8))
                let isKnown = random.chance(perMille: 850)
                switch random.below(3) {
                case 0:
                    return Operation(
                        .read, askedAt: asked, response: isKnown ? .value(random.index(below: 3)) : nil,
                        answeredAt: answered)
                case 1:
                    return Operation(
                        .write(random.index(below: 3)), askedAt: asked, response: isKnown ? .done(true) : nil,
                        answeredAt: answered)
                default:
                    let request = RegisterSpecification.Request.swap(
                        from: random.index(below: 3), to: random.index(below: 3))
                    return Operation(
                        request, askedAt: asked,
                        response: isKnown ? .done(random.chance(perMille: 500)) : nil, answeredAt: answered)
                }
            }
            let expected = Self.someOrderFits(operations, done: 0, state: 0)
            verdicts.insert(expected)
            #expect(Search().judge(operations) == (expected ? .linearizable : .notLinearizable))
        }
        #expect(verdicts.count == 2)
    }

    private static func someOrderFits(_ operations: [Operation], done: Int, state: Int) -> Bool {
        let left = operations.indices.filter { done & (1 << $0) == 0 }
        if left.allSatisfy({ operations[$0].response == nil }) { return true }
        let limit = left.map { operations[$0].answeredAt }.min() ?? .max
        return left.contains { index in
            guard operations[index].askedAt < limit,
                let after = RegisterSpecification.step(state, operations[index].request, operations[index].response)
            else { return false }
            return someOrderFits(operations, done: done | 1 << index, state: after)
        }
    }
}

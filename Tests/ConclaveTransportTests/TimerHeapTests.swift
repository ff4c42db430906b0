import ConclaveCore
import ConclaveTransport
import Testing

@Suite struct TimerHeapTests {
    @Test("Timers fire by deadline, and those of one deadline in the order they were made")
    func order() {
        var heap = TimerHeap<String>()
        for (time, name) in [(30, "c"), (10, "a1"), (20, "b"), (10, "a2"), (10, "a3")] {
            _ = heap.add(at: Instant(nanoseconds: Int64(time)), name)
        }
        #expect(heap.nextDeadline == Instant(nanoseconds: 10))
        #expect(heap.popDue(now: Instant(nanoseconds: 9)) == nil)
        var fired: [String] = []
        while let name = heap.popDue(now: Instant(nanoseconds: 29)) { fired.append(name) }
        #expect(fired == ["a1", "a2", "a3", "b"])
        #expect(heap.count == 1)
        #expect(heap.popDue(now: .distantFuture) == "c")
        #expect(heap.nextDeadline == nil)
    }

    @Test("A cancelled timer does not fire, and cancelling twice or too late does nothing")
    func cancel() {
        var heap = TimerHeap<Int>()
        let first = heap.add(at: Instant(nanoseconds: 1), 1)
        let second = heap.add(at: Instant(nanoseconds: 2), 2)
        #expect(heap.cancel(first) == 1)
        #expect(heap.cancel(first) == nil)
        // The slot is used again; the old token means nothing to it.
        let third = heap.add(at: Instant(nanoseconds: 3), 3)
        #expect(heap.cancel(first) == nil)
        #expect(heap.popDue(now: .distantFuture) == 2)
        #expect(heap.cancel(second) == nil)
        #expect(heap.cancel(third) == 3)
        #expect(heap.count == 0)
    }

    @Test("Cancelled timers leave nothing behind")
    func leavesNothing() {
        final class Payload {}
        var heap = TimerHeap<Payload>()
        weak var kept: Payload?
        for round in 0..<1_000 {
            let payload = Payload()
            let token = heap.add(at: Instant(nanoseconds: Int64(round)), payload)
            if round == 500 { kept = payload }
            heap.cancel(token)
        }
        #expect(kept == nil)
        #expect(heap.count == 0)
        #expect(heap.slotCount == 1)
    }

    @Test(
        "Any mixture of additions, cancellations and firings agrees with a sorted list",
        arguments: 0..<20 as Range<UInt64>)
    func model(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var heap = TimerHeap<Int>()
        var model: [(deadline: Int64, number: Int, token: TimerToken)] = []
        var used: [TimerToken] = []
        for number in 0..<500 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let deadline = Int64.random(in: 0..<100, using: &random)
                model.append((deadline, number, heap.add(at: Instant(nanoseconds: deadline), number)))
            case 5..<7:
                if let index = model.indices.randomElement(using: &random) {
                    let entry = model.remove(at: index)
                    #expect(heap.cancel(entry.token) == entry.number)
                    used.append(entry.token)
                }
            case 7:
                if let token = used.randomElement(using: &random) { #expect(heap.cancel(token) == nil) }
            default:
                let now = Int64.random(in: 0..<200, using: &random)
                let next = model.min { ($0.deadline, $0.number) < ($1.deadline, $1.number) }
                let expected = next.flatMap { $0.deadline <= now ? $0.number : nil }
                #expect(heap.popDue(now: Instant(nanoseconds: now)) == expected)
                if let expected {
                    used.append(model.first { $0.number == expected }!.token)
                    model.removeAll { $0.number == expected }
                }
            }
            #expect(heap.count == model.count)
            #expect(heap.nextDeadline?.nanoseconds == model.map(\.deadline).min())
        }
    }
}

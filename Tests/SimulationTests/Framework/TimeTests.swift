import ConclaveCore
import ConclaveSimulator
import Testing

@Suite struct SimulatedTimeTests {
    @Test("Events come by time, and at one time in the order of their planning")
    func eventOrder() {
        var random = SeededRandom(seed: 1)
        var queue = EventQueue()
        var expected: [(time: Int64, number: Int)] = []
        for number in 0..<2_000 {
            let time = random.below(50)
            queue.plan(.timer, number, stamp: 0, at: time)
            expected.append((time, number))
        }
        expected.sort { ($0.time, $0.number) < ($1.time, $1.number) }
        for (time, number) in expected {
            let planned = queue.next()
            #expect(planned?.time == time)
            #expect(planned?.event.index == Int32(number))
        }
        #expect(queue.next() == nil)
    }

    @Test("Events that come and go between each other keep their order")
    func interleaved() {
        var random = SeededRandom(seed: 2)
        var queue = EventQueue()
        var now: Int64 = 0
        var last: (time: Int64, serial: UInt64) = (0, 0)
        for step in 0..<5_000 {
            if queue.count == 0 || random.chance(perMille: 520) {
                queue.plan(.timer, step, stamp: 0, at: now + random.below(100))
            } else {
                guard let planned = queue.next() else { break }
                #expect(planned.time > last.time || (planned.time == last.time && planned.serial > last.serial))
                last = (planned.time, planned.serial)
                now = planned.time
            }
        }
    }

    @Test("An event that is put off keeps its place among those of its new time")
    func postponing() throws {
        var queue = EventQueue()
        queue.plan(.timer, 1, stamp: 0, at: 10)
        queue.plan(.timer, 2, stamp: 0, at: 20)
        let taken = queue.next()
        let first = try #require(taken)
        queue.plan(.timer, 3, stamp: 0, at: 20)
        queue.postpone(first, to: 20)
        #expect((0..<3).map { _ in queue.next()?.event.index } == [1, 2, 3])
    }

    @Test(
        "A clock shows a deadline at the first moment that the conversion names",
        arguments: [0, 1, -1, 137, -20_000, 500_000, -500_000])
    func clockInverse(drift: Int64) {
        var random = SeededRandom(seed: 3)
        var clock = SimulatedClock(shown: 123_456_789_012, driftPartsPerMillion: drift)
        for _ in 0..<500 {
            let instant = Instant(nanoseconds: 123_456_789_012 + random.magnitude(1...10_000_000_000_000 / 2))
            let time = clock.time(of: instant)
            #expect(clock.instant(at: time) >= instant)
            #expect(time == 0 || clock.instant(at: time - 1) < instant)
        }
        clock.drift(partsPerMillion: -drift, at: 5_000_000_000)
        let deadline = clock.instant(at: 5_000_000_000).advanced(byMilliseconds: 1_000)
        #expect(clock.instant(at: clock.time(of: deadline)) >= deadline)
    }

    @Test("A change of rate does not make a clock jump, and what is too far off never comes")
    func clockContinuity() {
        var clock = SimulatedClock(shown: 5, driftPartsPerMillion: 10_000)
        let before = clock.instant(at: 1_000_000)
        clock.drift(partsPerMillion: -10_000, at: 1_000_000)
        #expect(clock.instant(at: 1_000_000) == before)
        #expect(clock.time(of: .distantFuture) == .max)
        #expect(clock.time(of: .start) <= 1_000_000)
    }

    @Test("Draws stay within their limits and reach them")
    func draws() {
        var random = SeededRandom(seed: 4)
        let numbers = (0..<4_000).map { _ in random.between(-3...3) }
        #expect(Set(numbers) == Set(-3...3))
        #expect(random.below(0) == 0)
        let magnitudes = (0..<4_000).map { _ in random.magnitude(1...1_000) }
        #expect(magnitudes.allSatisfy { (1...1_000).contains($0) })
        // As many below 32 as above, more or less.
        #expect((1_200...2_800).contains(magnitudes.count { $0 < 32 }))
    }
}

import ConclaveCore
import ConclaveTree
import Testing

/// When sessions end.
@Suite struct SessionExpiryTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(milliseconds: milliseconds) }
    private let session = SessionID(rawValue: 7)

    @Test("A session ends at the end of the tick in which its timeout falls", arguments: [1, 7, 100, 3000] as [Int64])
    func boundaries(tick: Int64) {
        for now in [0, 1, tick - 1, tick, tick + 1, 10 * tick, 12_345] {
            for timeout in [0, 1, tick - 1, tick, 2 * tick, 2 * tick + 1, 10_000] {
                var expiry = SessionExpiry(tickMilliseconds: tick)
                expiry.add(session, timeoutMilliseconds: timeout, now: at(now))
                let end = ((now + timeout) / tick + 1) * tick
                #expect(expiry.end(of: session) == at(end))
                #expect(expiry.nextDeadline == at(end))
                #expect(expiry.expire(now: at(end - 1)).isEmpty)
                #expect(expiry.expire(now: at(end)) == [session])
                #expect(end > now + timeout && end <= now + timeout + tick)
                #expect(expiry.count == 0)
                #expect(expiry.nextDeadline == nil)
            }
        }
    }

    @Test("A touch gives the full timeout again, and costs no work before the old end")
    func touch() {
        var expiry = SessionExpiry(tickMilliseconds: 100)
        expiry.add(session, timeoutMilliseconds: 1000, now: at(0))
        let isKnown = expiry.touch(session, now: at(950))
        #expect(isKnown)
        #expect(expiry.end(of: session) == at(2000))
        #expect(expiry.nextDeadline == at(1100))
        #expect(expiry.expire(now: at(1100)).isEmpty)
        #expect(expiry.nextDeadline == at(2000))
        #expect(expiry.expire(now: at(1999)).isEmpty)
        #expect(expiry.expire(now: at(2000)) == [session])
        let isStillKnown = expiry.touch(session, now: at(2000))
        #expect(!isStillKnown)
    }

    @Test("A touch of the past changes nothing")
    func pastTouch() {
        var expiry = SessionExpiry(tickMilliseconds: 100)
        expiry.add(session, timeoutMilliseconds: 1000, now: at(500))
        let isKnown = expiry.touch(session, now: at(0))
        #expect(isKnown)
        #expect(expiry.end(of: session) == at(1600))
    }

    @Test("A late sweep expires what is due and nothing that was touched")
    func lateSweep() {
        var expiry = SessionExpiry(tickMilliseconds: 10)
        for number in 1...50 as ClosedRange<Int64> {
            expiry.add(SessionID(rawValue: number), timeoutMilliseconds: number * 10, now: at(0))
        }
        expiry.touch(SessionID(rawValue: 3), now: at(290))
        let expired = expiry.expire(now: at(310))
        #expect(expired == (1...30).filter { $0 != 3 }.map { SessionID(rawValue: $0) })
        #expect(expiry.end(of: SessionID(rawValue: 3)) == at(330))
    }

    @Test("What expires together comes sorted, ids with the top bit last")
    func sorted() {
        var expiry = SessionExpiry(tickMilliseconds: 10)
        for number in [5, -1, 3, .min, 4] as [Int64] {
            expiry.add(SessionID(rawValue: number), timeoutMilliseconds: 10, now: at(0))
        }
        #expect(expiry.expire(now: at(20)).map(\.rawValue) == [3, 4, 5, .min, -1])
    }

    @Test("A removed session does not end, not even when it is added again")
    func removed() {
        var expiry = SessionExpiry(tickMilliseconds: 10)
        expiry.add(session, timeoutMilliseconds: 10, now: at(0))
        expiry.remove(session)
        #expect(!expiry.contains(session))
        expiry.add(session, timeoutMilliseconds: 100, now: at(5))
        #expect(expiry.expire(now: at(20)).isEmpty)
        #expect(expiry.expire(now: at(110)) == [session])
    }

    @Test("Adding a session once more changes its timeout, shorter or longer")
    func readded() {
        var expiry = SessionExpiry(tickMilliseconds: 10)
        expiry.add(session, timeoutMilliseconds: 1000, now: at(0))
        expiry.add(session, timeoutMilliseconds: 50, now: at(0))
        #expect(expiry.timeoutMilliseconds(of: session) == 50)
        #expect(expiry.expire(now: at(60)) == [session])
        #expect(expiry.expire(now: at(2000)).isEmpty)
    }

    @Test("A new leader gives every session its full timeout")
    func restart() {
        var expiry = SessionExpiry(tickMilliseconds: 10)
        for number in 1...5 as ClosedRange<Int64> {
            expiry.add(SessionID(rawValue: number), timeoutMilliseconds: 100, now: at(0))
        }
        expiry.restart(now: at(1000))
        #expect(expiry.expire(now: at(1109)).isEmpty)
        #expect(expiry.expire(now: at(1110)).count == 5)
    }

    @Test("Absurd numbers neither trap nor expire anybody early")
    func absurd() {
        var expiry = SessionExpiry(tickMilliseconds: 0)
        expiry.add(session, timeoutMilliseconds: .max, now: at(5))
        #expect(expiry.expire(now: at(1_000_000_000)).isEmpty)
        expiry.add(session, timeoutMilliseconds: -5, now: at(5))
        #expect(expiry.end(of: session) == at(6))
        expiry.add(session, timeoutMilliseconds: 10, now: Instant(nanoseconds: .min))
        expiry.add(session, timeoutMilliseconds: 10, now: .distantFuture)
        let isKnown = expiry.touch(session, now: .start)
        #expect(isKnown)
        var large = SessionExpiry(tickMilliseconds: .max)
        large.add(session, timeoutMilliseconds: 10, now: at(0))
        #expect(large.expire(now: at(1_000_000)).isEmpty)
    }

    @Test("Random use agrees with a list of last touches", arguments: 0..<4 as Range<UInt64>)
    func model(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var expiry = SessionExpiry(tickMilliseconds: 50)
        var ends: [SessionID: (timeout: Int64, end: Int64)] = [:]
        var now: Int64 = 0
        func end(_ timeout: Int64) -> Int64 { ((now + timeout) / 50 + 1) * 50 }
        for _ in 0..<2000 {
            now += Int64.random(in: 0..<40, using: &random)
            let session = SessionID(rawValue: Int64.random(in: 0..<30, using: &random))
            switch Int.random(in: 0..<10, using: &random) {
            case 0, 1:
                let timeout = Int64.random(in: 0..<900, using: &random)
                expiry.add(session, timeoutMilliseconds: timeout, now: at(now))
                ends[session] = (timeout, end(timeout))
            case 2:
                expiry.remove(session)
                ends[session] = nil
            case 3, 4, 5:
                let isKnown = expiry.touch(session, now: at(now))
                #expect(isKnown == (ends[session] != nil))
                if let entry = ends[session] { ends[session] = (entry.timeout, end(entry.timeout)) }
            default:
                let expected = ends.filter { $0.value.end <= now }.keys.sorted()
                #expect(expiry.expire(now: at(now)) == expected)
                for session in expected { ends[session] = nil }
            }
            if let first = ends.values.map(\.end).min() {
                #expect(expiry.nextDeadline.map { $0 <= at(first) } == true)
            }
        }
    }
}

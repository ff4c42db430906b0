import ConclaveCore
import ConclaveSystem
import TestLanes
import Testing

@Suite(.live) struct PollerTests {
    @Test("A descriptor is told while it is ready, and only in what it was added for")
    func levels() throws {
        var poller = try SystemPoller()
        defer { poller.close() }
        let (left, right) = try Socket.pair()
        defer { left.close() }
        try poller.add(left.descriptor, key: 42, interest: .readable)
        try poller.wait(until: .start)
        #expect(poller.eventCount == 0)
        _ = right.send([1], from: 0)
        for _ in 0..<2 {
            try poller.wait(until: .distantFuture)
            #expect(poller.eventCount == 1)
            #expect(poller.event(at: 0) == PollEvent(key: 42, readiness: .readable))
        }
        try poller.update(left.descriptor, key: 43, from: .readable, to: .writable)
        try poller.wait(until: .distantFuture)
        #expect(poller.event(at: 0) == PollEvent(key: 43, readiness: .writable))
        try poller.update(left.descriptor, key: 43, from: .writable, to: [])
        try poller.wait(until: .start)
        #expect(poller.eventCount == 0)
        right.close()
        try poller.update(left.descriptor, key: 43, from: [], to: .readable)
        try poller.wait(until: .distantFuture)
        #expect(poller.event(at: 0).readiness.contains(.readable))
        poller.remove(left.descriptor, interest: .readable)
        try poller.wait(until: .start)
        #expect(poller.eventCount == 0)
    }

    @Test("Another thread ends the wait, also before it begins")
    func wakes() throws {
        var poller = try SystemPoller()
        defer { poller.close() }
        let waker = poller.waker
        waker.signal()
        try poller.wait(until: .distantFuture)
        #expect(poller.eventCount == 0)
        for _ in 0..<20 {
            let thread = try ThreadHandle(name: "waker") { waker.signal() }
            try poller.wait(until: .distantFuture)
            thread.join()
        }
    }

    @Test("A deadline ends the wait, not before its time")
    func deadlines() throws {
        var poller = try SystemPoller()
        defer { poller.close() }
        // Shrinking, growing and past deadlines.
        for milliseconds: Int64 in [5, 3, 8, 0, -5, 2] {
            let deadline = SystemClock.now().advanced(byMilliseconds: milliseconds)
            while SystemClock.now() < deadline { try poller.wait(until: deadline) }
            #expect(poller.eventCount == 0)
        }
        try poller.wait(until: .start)
    }
}

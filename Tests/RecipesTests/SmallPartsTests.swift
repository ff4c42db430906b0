import ConclaveCore
import Testing

@testable import Recipes

@Suite("Fencing")
struct FencingTests {
    @Test("A guard admits growing tokens and repetitions and refuses what has been overtaken")
    func fence() {
        var fence = FenceGuard()
        #expect(fence.highest == nil)
        #expect(throws: Never.self) { try fence.admit(FencingToken(rawValue: 5)) }
        #expect(throws: Never.self) { try fence.admit(FencingToken(rawValue: 5)) }
        #expect(throws: Never.self) { try fence.admit(FencingToken(rawValue: 9)) }
        let stale = StaleToken(token: FencingToken(rawValue: 8), highest: FencingToken(rawValue: 9))
        #expect(throws: stale) { try fence.admit(FencingToken(rawValue: 8)) }
        #expect(fence.highest == FencingToken(rawValue: 9))
    }

    @Test("A stored guard goes on where it was, and tokens travel as decimal text")
    func storedFence() throws {
        var fence = FenceGuard(highest: FencingToken("4294967297"))
        #expect(throws: StaleToken.self) { try fence.admit(FencingToken(Zxid(epoch: 1, counter: 0))) }
        #expect(throws: Never.self) { try fence.admit(FencingToken(Zxid(epoch: 2, counter: 0))) }
        #expect(FencingToken(Zxid(rawValue: -1)).description == "18446744073709551615")
        #expect(FencingToken("0x10") == nil)
    }
}

@Suite("Counting skipped revisions")
struct RevisionTrackerTests {
    static func stat(czxid: Int64 = 1, mzxid: Int64, version: Int32) -> Stat {
        Stat(
            czxid: Zxid(rawValue: czxid), mzxid: Zxid(rawValue: mzxid), ctime: 0, mtime: 0, version: version,
            cversion: 0,
            aversion: 0, ephemeralOwner: .none, dataLength: 0, numChildren: 0, pzxid: Zxid(rawValue: czxid))
    }

    @Test("The first look skips nothing, whatever the version")
    func first() {
        var tracker = RevisionTracker()
        #expect(tracker.look(Self.stat(mzxid: 9, version: 12)) == .new(skipped: 0, recreated: false))
    }

    @Test("Gaps are exact, the same revision is no news")
    func gaps() {
        var tracker = RevisionTracker()
        _ = tracker.look(Self.stat(mzxid: 2, version: 1))
        #expect(tracker.look(Self.stat(mzxid: 2, version: 1)) == .unchanged)
        #expect(tracker.look(Self.stat(mzxid: 3, version: 2)) == .new(skipped: 0, recreated: false))
        #expect(tracker.look(Self.stat(mzxid: 8, version: 7)) == .new(skipped: 4, recreated: false))
    }

    @Test("A node made anew counts from zero")
    func recreated() {
        var tracker = RevisionTracker()
        _ = tracker.look(Self.stat(mzxid: 2, version: 40))
        #expect(tracker.look(Self.stat(czxid: 50, mzxid: 53, version: 3)) == .new(skipped: 3, recreated: true))
    }

    @Test("The version wraps without harm")
    func wraps() {
        var tracker = RevisionTracker()
        _ = tracker.look(Self.stat(mzxid: 2, version: .max))
        #expect(tracker.look(Self.stat(mzxid: 3, version: .min + 1)) == .new(skipped: 1, recreated: false))
    }
}

@Suite("Blocks of a counter")
struct CounterBlockTests {
    @Test("A block gives its numbers and no more")
    func draw() throws {
        var block = try #require(CounterBlock(from: 40, size: 3))
        #expect(block.counterAfter == 43)
        #expect([block.draw(), block.draw(), block.draw(), block.draw()] == [40, 41, 42, nil])
    }

    @Test("A counter at its end gives the last block that fits and refuses the next")
    func limits() throws {
        var last = try #require(CounterBlock(from: .max - 1, size: 1))
        #expect(last.draw() == Int64.max - 1)
        #expect(CounterBlock(from: .max, size: 1) == nil)
        #expect(CounterBlock(from: -1, size: 1) == nil)
        #expect(CounterBlock(from: 0, size: 0) == nil)
    }

    @Test("The counter's bytes are eight, big-endian; empty is zero; other lengths are refused")
    func codec() {
        #expect(CounterBlock.encode(0x0102_0304_0506_0708) == [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(CounterBlock.decode([1, 2, 3, 4, 5, 6, 7, 8]) == 0x0102_0304_0506_0708)
        #expect(CounterBlock.decode([]) == 0)
        #expect(CounterBlock.decode([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]) == -1)
        for length in [1, 7, 9] { #expect(CounterBlock.decode([UInt8](repeating: 0, count: length)) == nil) }
    }
}

@Suite("Something that happens once")
struct SignalTests {
    @Test("The first value wins and everybody gets it, before and after")
    func firstWins() async throws {
        let signal = Signal<Int>()
        async let early = signal.wait()
        #expect(signal.fire(1))
        #expect(!signal.fire(2))
        #expect(try await early == 1)
        #expect(try await signal.wait() == 1)
    }

    @Test("A cancelled waiter stops waiting, before and after it began, and the others go on")
    func cancelled() async throws {
        let signal = Signal<Int>()
        let waiting = Task { try await signal.wait() }
        let other = Task { try await signal.wait() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        let late = Task {
            withUnsafeCurrentTask { $0?.cancel() }; return try await signal.wait()
        }
        await #expect(throws: CancellationError.self) { try await late.value }
        signal.fire(3)
        #expect(try await other.value == 3)
    }
}

@Suite("Values of configuration")
struct ConfigurationValueTests {
    struct Limits: Codable, ConfigurationValue, Equatable {
        var rate: Int
        var name: String
    }

    @Test("Text, bytes and Codable types come back as they went")
    func roundTrips() throws {
        #expect(try String(configurationBytes: "grüße".configurationBytes()) == "grüße")
        #expect(try [UInt8](configurationBytes: [0, 255]) == [0, 255])
        let limits = Limits(rate: 3, name: "a/b")
        #expect(try String(decoding: limits.configurationBytes(), as: UTF8.self) == #"{"name":"a/b","rate":3}"#)
        #expect(try Limits(configurationBytes: limits.configurationBytes()) == limits)
    }

    @Test("What is no value throws")
    func invalid() {
        #expect(throws: InvalidConfiguration("not UTF-8")) { try String(configurationBytes: [0xFF]) }
        #expect(throws: (any Error).self) { try Limits(configurationBytes: Array("{}".utf8)) }
    }
}

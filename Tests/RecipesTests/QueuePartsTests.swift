import ConclaveCore
import Testing

@testable import Recipes

/// Names, envelopes and the window: the parts of queues that need no ensemble.
@Suite("Parts of queues")
struct QueuePartsTests {
    @Test("Names are made and read in all layouts, and order items across them")
    func names() throws {
        let places: [ItemPlace] = [
            .atTheEnd, .priority(0), .priority(7), .priority(999), .priority(-1), .priority(.min), .priority(.max),
            .due(milliseconds: 0), .due(milliseconds: 1_700_000_000_000), .due(milliseconds: .max),
        ]
        for layout in QueueLayout.allCases {
            for place in places {
                guard let prefix = layout.prefix(for: place) else { continue }
                for ordering in [QueueOrdering.arrival, .priority, .due] {
                    let name = try #require(QueueItemName(prefix + "0000000042", ordering: ordering), "\(prefix)")
                    #expect(name.sequence == 42)
                    switch (ordering, place) {
                    case (.priority, .priority(let priority)): #expect(name.rank == Int64(priority), "\(prefix)")
                    case (.due, .due(let moment)): #expect(name.rank == moment, "\(prefix)")
                    case (.priority, .atTheEnd) where layout == .kazoo: #expect(name.rank == 100)
                    default: #expect(name.rank == 0, "\(prefix)")
                    }
                }
            }
        }
        // As Java's String.format makes them.
        #expect(QueueLayout.curator.prefix(for: .priority(7)) == "queue-100000007")
        #expect(QueueLayout.curator.prefix(for: .priority(-1)) == "queue-0FFFFFFFF")
        #expect(QueueLayout.curator.prefix(for: .due(milliseconds: 0x18C_5A4B_2C00)) == "queue-|18C5A4B2C00|")
        #expect(QueueLayout.curator.prefix(for: .due(milliseconds: 10)) == "queue-|0000000A|")
        #expect(QueueLayout.kazoo.prefix(for: .priority(5)) == "entry-005-")
        #expect(QueueLayout.kazoo.prefix(for: .priority(1_000)) == nil)
        #expect(QueueLayout.zooKeeper.prefix(for: .priority(1)) == nil)
    }

    @Test(
        "What is not an item's name is none",
        arguments: [
            "", "qn-", "qn-000000001", "qn-00000000001", "qn--000000001", "lock-0000000001", "queue-",
            "entry-0000000001",
            "entry-1000-0000000001", "entry-a00-0000000001", "queue-2000000070000000001", "queue-0000000070000000001",
            "queue-10000000g0000000001", "queue-|18C|0000000001", "queue-|FFFFFFFFFFFFFFFF|0000000001", "qn-9999999999",
            "queue-|000000000000000001|0000000001",
        ])
    func noNames(_ text: String) {
        #expect(QueueItemName(text, ordering: .arrival) == nil)
    }

    @Test("Envelopes: sealed and opened, cut at every length, with a byte more, every byte changed")
    func envelopes() {
        for items in [[], [[]], [[1, 2, 3]], [[], [2], Array(repeating: 1, count: 300)]] as [[[UInt8]]] {
            let bytes = CuratorEnvelope.seal(items)
            #expect(CuratorEnvelope.open(bytes) == items)
            for length in 0..<bytes.count { #expect(CuratorEnvelope.open(Array(bytes[..<length])) == nil) }
            #expect(CuratorEnvelope.open(bytes + [0]) == nil)
        }
        #expect(CuratorEnvelope.seal([[7]]) == [0, 1, 0, 1, 1, 0, 0, 0, 1, 7, 2])
        let whole = CuratorEnvelope.seal([[5, 6]])
        for place in whole.indices where place < 9 || place == whole.count - 1 {
            var bytes = whole
            bytes[place] ^= 0x40
            #expect(CuratorEnvelope.open(bytes) == nil, "byte \(place)")
        }
    }

    private static func name(_ number: Int, _ ordering: QueueOrdering = .arrival) throws -> QueueItemName {
        let digits = String(number)
        return try #require(
            QueueItemName("qn-" + String(repeating: "0", count: 10 - digits.count) + digits, ordering: ordering))
    }

    private static func fetched(_ numbers: Range<Int>, rest: Range<Int>, bytes: Int = 1) throws -> QueueFetched {
        var fetched = QueueFetched()
        fetched.candidates = try numbers.map {
            QueueCandidate(name: try name($0), data: Array(repeating: 0, count: bytes), version: 0)
        }
        fetched.rest = try rest.map { try name($0) }
        return fetched
    }

    @Test("The window hands out each item once, in order, and reads on with the names it knows")
    func window() throws {
        var random = SeededRandom(seed: 1)
        var window = QueueWindow(ordering: .arrival)
        #expect(window.plan(using: &random).names.isEmpty)
        window.learn(try Self.fetched(0..<4, rest: 4..<2_000))
        let first = window.draw(upTo: 3)
        #expect(first.map(\.name.sequence) == [0, 1, 2])
        #expect(window.draw(upTo: 3).map(\.name.sequence) == [3])
        #expect(window.draw(upTo: 3).isEmpty)
        let plan = window.plan(using: &random)
        #expect(plan.names.map(\.sequence) == Array(4..<Int32(4 + QueueWindow.nameLimit)))
        #expect(plan.offset == 0 && plan.excluded.count == 4)
        // A listing from before the takes shows them still: they are in flight and are left out.
        window.learn(try Self.fetched(0..<6, rest: 6..<6))
        #expect(window.draw(upTo: 9).map(\.name.sequence) == [4, 5])
        window.giveBack(first)
        #expect(window.draw(upTo: 9).map(\.name.sequence) == [0, 1, 2])
    }

    @Test("Lost races spread the reads, wins bring them back to the head; both within limits")
    func spreading() throws {
        var random = SeededRandom(seed: 2)
        var window = QueueWindow(ordering: .arrival)
        let item = QueueCandidate(name: try Self.name(1), data: [], version: 0)
        for _ in 0..<20 { window.settleLost(item) }
        #expect(window.spread == QueueWindow.spreadLimit)
        #expect(window.plan(using: &random).size == 2)
        #expect((0..<100).contains { _ in window.plan(using: &random).offset > 2 })
        for _ in 0..<200 { window.settleWon(item) }
        #expect(window.spread == 1)
        #expect(window.plan(using: &random).size == QueueWindow.chunkLimit)
        // Large items are not read ahead by the dozen.
        window.learn(try Self.fetched(0..<1, rest: 1..<9, bytes: QueueWindow.readAheadBytes / 2))
        #expect(window.plan(using: &random).size == 2)
        var urgent = QueueWindow(ordering: .priority)
        urgent.learn(try Self.fetched(0..<1, rest: 1..<9))
        #expect(urgent.plan(using: &random).names.isEmpty && urgent.plan(using: &random).size == 1)
    }
}

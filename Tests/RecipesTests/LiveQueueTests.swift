import ConclaveClient
import ConclaveCore
import TestLanes
import Testing

@testable import Recipes

private struct Job: Codable, QueueItem, Equatable {
    var number: Int
    var text = ""
}

/// Queues against a server: order, bounds, claims, dead letters, and what the nodes look like.
@Suite("Queues", .onServer, .live)
struct LiveQueueTests {
    @Test("What was put first is taken first, typed and as bytes; the nodes are those of ZooKeeper's own queue")
    func firstInFirstOut() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let queue = DistributedQueue<Job>(client, at: live.path + "/jobs")
            for number in 0..<20 { try await queue.put(Job(number: number)) }
            #expect(try await queue.count() == 20)
            let names = try await client.children(of: live.path + "/jobs").names
            #expect(names.first == "qn-0000000000" && names.last == "qn-0000000019")
            #expect(
                try await client.data(at: live.path + "/jobs/qn-0000000007").bytes
                    == Array("{\"number\":7,\"text\":\"\"}".utf8))
            for number in 0..<20 { #expect(try await queue.tryTake() == Job(number: number)) }
            #expect(try await queue.tryTake() == nil)
            let bytes = DistributedQueue<[UInt8]>(client, at: live.path + "/jobs")
            try await bytes.put(contentsOf: (0..<250).map { [UInt8($0)] })
            var taken: [[UInt8]] = []
            while taken.count < 250 { taken += try await bytes.take(upTo: 40) }
            #expect(taken == (0..<250).map { [UInt8($0)] })
        }
    }

    @Test("Many producers and many consumers: each item is taken once, none is left")
    func manyOfBoth() async throws {
        try await Live.run { live in
            let clients = [try await live.connect(), try await live.connect(), try await live.connect()]
            let each = 60
            let taken = Shared<[Int]>([])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for producer in 0..<6 {
                    group.addTask {
                        let queue = DistributedQueue<Job>(clients[producer % 3], at: live.path, limit: 40)
                        for number in 0..<each { try await queue.put(Job(number: producer * each + number)) }
                    }
                }
                for consumer in 0..<6 {
                    group.addTask {
                        let queue = DistributedQueue<Job>(clients[consumer % 3], at: live.path)
                        for _ in 0..<each {
                            let job = try await queue.take()
                            taken.change { $0.append(job.number) }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(taken.value.sorted() == Array(0..<6 * each))
            #expect(try await clients[0].children(of: live.path).names == [])
        }
    }

    @Test("Whoever waits for an item gets it, and one that comes wakes one of those who wait")
    func waiting() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let queue = DistributedQueue<String>(client, at: live.path)
            let lists = Shared(0)
            let takers = (0..<20).map { number in
                Task {
                    let taker = try await live.connect()
                    return try await ClientStep.$observer.withValue({ step in
                        if step == "send getChildren \(live.path)" { lists.change { $0 += 1 } }
                    }) { try await DistributedQueue<String>(taker, at: live.path).take() }
                }
            }
            try await Live.waitUntil(20, contendAt: live.path + "-state/takers", with: client)
            try await client.waitForWatch(lists)
            let before = lists.value
            for number in 0..<20 {
                try await queue.put("\(number)")
                try await Live.waitUntil(19 - number, contendAt: live.path + "-state/takers", with: client)
            }
            var taken: [String] = []
            for taker in takers { taken.append(try await taker.value) }
            #expect(taken.sorted() == (0..<20).map { "\($0)" }.sorted())
            // A herd of twenty would list two hundred times; one in line lists when it wakes and when the next one does.
            #expect(lists.value - before <= 20 * 5)
            await queue.waitUntilClean()
            #expect(try await client.children(of: live.path).names == [])
        }
    }

    @Test("A full queue makes whoever puts wait, or says so")
    func bounded() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let queue = DistributedQueue<String>(client, at: live.path, limit: 3)
            for text in ["a", "b", "c"] { #expect(try await queue.tryPut(text)) }
            #expect(try await !queue.tryPut("d"))
            await #expect(throws: ZooKeeperError(.deadlineExceeded, path: live.path)) {
                try await queue.put("d", timeout: .milliseconds(30))
            }
            let waiting = Task { try await queue.put("d") }
            try await Live.waitUntil(1, contendAt: live.path + "-state/putters", with: client)
            #expect(try await queue.take() == "a")
            try await waiting.value
            var rest: [String] = []
            while rest.count < 3 { rest += try await queue.take(upTo: 3 - rest.count) }
            #expect(rest == ["b", "c", "d"])
        }
    }

    @Test("A consumer that throws gets the item again, at last it is a dead letter; what is no item is one at once")
    func deadLetters() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let raw = DistributedQueue<String>(client, at: live.path)
            try await raw.put("no JSON")
            let queue = DistributedQueue<Job>(client, at: live.path, deliveries: 3)
            try await queue.put(Job(number: 1))
            try await queue.put(Job(number: 2))
            let counts = Shared<[Int]>([])
            let failures = Shared(0)
            let done = Signal<Void>()
            let consumer = Task {
                try await queue.consume(onFailure: { _, _ in failures.change { $0 += 1 } }) { delivery in
                    guard delivery.item.number == 2 else {
                        counts.change { $0.append(delivery.count) }
                        throw InvalidQueueItem("cannot do it")
                    }
                    done.fire(())
                }
            }
            try await done.wait()
            let dead = queue.deadLetters
            #expect(try await dead.take(upTo: 1) == [Array("no JSON".utf8)])
            #expect(try await dead.take() == Array("{\"number\":1,\"text\":\"\"}".utf8))
            consumer.cancel()
            await #expect(throws: ZooKeeperError(.cancelled, path: live.path)) { try await consumer.value }
            #expect(counts.value == [1, 2, 3])
            #expect(failures.value == 3)
            await queue.waitUntilClean()
            #expect(try await client.children(of: live.path).names == [])
            #expect(try await client.children(of: live.path + "-state/claims").names == [])
        }
    }

    @Test("What a consumer has claimed nobody else gets, until its session ends")
    func claims() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let other = try await live.connect()
            let queue = DistributedQueue<String>(client, at: live.path)
            let mine = DistributedQueue<String>(other, at: live.path, identity: "worker 7")
            try await queue.put("first")
            try await queue.put("second")
            let delivery = try await mine.receive()
            #expect(delivery.item == "first" && delivery.count == 1 && delivery.isHeld)
            let entries = try await queue.list()
            #expect(entries.map(\.consumer) == ["worker 7", nil])
            #expect(entries.map(\.deliveries) == [1, 0])
            #expect(try await queue.tryTake() == "second")
            #expect(try await queue.tryTake() == nil)
            #expect(try await queue.tryReceive() == nil)
            let waiting = Task { try await queue.receive() }
            try await Live.waitUntil(1, contendAt: live.path + "-state/takers", with: client)
            try await Live.expire(other)
            let again = try await waiting.value
            #expect(again.item == "first" && again.count == 2 && again.token > delivery.token)
            async let poked: Void = Live.poke(other)
            #expect(try await delivery.lost() == .sessionOver)
            await poked
            await #expect(throws: ZooKeeperError.self) { try await delivery.finish() }
            try await again.finish()
            #expect(try await queue.count() == 0)
        }
    }

    @Test("A delivery that is dropped returns; one whose claim was removed cannot be finished")
    func droppedDelivery() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let queue = DistributedQueue<String>(client, at: live.path)
            try await queue.put("it")
            do { _ = try await queue.receive() }
            await queue.waitUntilClean()
            let second = try await queue.receive()
            #expect(second.count == 2)
            try await client.delete(live.path + "-state/claims/" + second.name)
            let third = try await queue.receive()
            await #expect(throws: ZooKeeperError(.holdLost, path: live.path + "-state/claims/" + second.name)) {
                try await second.finish()
            }
            try await third.giveBack()
            #expect(try await queue.take() == "it")
        }
    }

    @Test("Priorities: the lowest first, in order of arrival among equals, negative ones too")
    func priorities() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            for layout in [QueueLayout.curator, .kazoo] {
                let path = live.path + "/\(layout)"
                let queue = PriorityQueue<String>(client, at: path, layout: layout)
                let low: Int32 = layout == .curator ? -5 : 0
                for (text, priority) in [("c", 7), ("a", low), ("d", 7), ("b", 3)] as [(String, Int32)] {
                    try await queue.put(text, priority: priority)
                }
                #expect(try await queue.take() == "a")
                // More urgent than what was seen before.
                try await queue.put("a2", priority: low)
                #expect(
                    try await queue.list().map { String(decoding: $0.bytes, as: UTF8.self) } == ["a2", "b", "c", "d"])
                for expected in ["a2", "b", "c", "d"] { #expect(try await queue.take() == expected) }
            }
            let kazoo = PriorityQueue<String>(client, at: live.path + "/kazoo", layout: .kazoo)
            await #expect(throws: ZooKeeperError(.badArguments, path: live.path + "/kazoo")) {
                try await kazoo.put("x", priority: -1)
            }
        }
    }

    @Test("Delays: nothing before its moment; whoever waits gets it then")
    func delays() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let queue = DelayQueue<String>(client, at: live.path)
            try await queue.put("never", after: .seconds(1 << 40))
            #expect(try await queue.tryTake() == nil)
            let waiting = Task { try await queue.take() }
            try await Live.waitUntil(1, contendAt: live.path + "-state/takers", with: client)
            try await queue.put("now", after: .zero)
            #expect(try await waiting.value == "now")
            let begin = ContinuousClock.now
            try await queue.put("soon", after: .milliseconds(60))
            #expect(try await queue.take() == "soon")
            // Wall clocks count in whole milliseconds.
            #expect(ContinuousClock.now - begin >= .milliseconds(59))
            #expect(try await queue.count() == 1)
        }
    }

    @Test("Items of all layouts are taken in the order of their numbers; several in one envelope are put apart")
    func otherLayouts() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            for layout in QueueLayout.allCases {
                try await DistributedQueue<String>(client, at: live.path, layout: layout).put("\(layout)")
            }
            let names = try await client.children(of: live.path).names
            #expect(names == ["entry-100-0000000002", "qn-0000000000", "queue-0000000001"])
            let several = CuratorEnvelope.seal([Array("x".utf8), Array("y".utf8)])
            try await client.create(live.path + "/queue-", several, mode: .persistentSequential)
            let queue = DistributedQueue<String>(client, at: live.path)
            for expected in ["zooKeeper", "curator", "kazoo", "x", "y"] { #expect(try await queue.take() == expected) }
        }
    }
}

extension ZooKeeperClient {
    /// Waits until one of those who wait in line has listed the queue.
    fileprivate func waitForWatch(_ lists: Shared<Int>) async throws {
        while lists.value == 0 { try await sync() }
    }
}

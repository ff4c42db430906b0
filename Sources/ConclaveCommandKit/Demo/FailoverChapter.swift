import ConclaveClient
import ConclaveCore
import ConclaveServer
import Recipes
import Synchronization

/// The leader of the servers is killed while a client writes and another one holds a lock.
struct FailoverChapter: Sendable {
    private struct Write: Sendable {
        let zxid: Zxid
        let time: ContinuousClock.Instant
        /// How often the node had been written then.
        let version: Int32
    }

    /// What the writer has done so far.
    private final class Log: Sendable {
        private struct State {
            var acknowledged: [Write] = []
            var unknown = 0
            var isFinished = false
        }

        private let state = Mutex(State())
        let arrivals: AsyncStream<Write>
        private let arrival: AsyncStream<Write>.Continuation

        init() { (arrivals, arrival) = AsyncStream.makeStream(of: Write.self) }

        var acknowledged: [Write] { state.withLock(\.acknowledged) }
        var unknown: Int { state.withLock(\.unknown) }
        var isFinished: Bool { state.withLock(\.isFinished) }

        func finish() { state.withLock { $0.isFinished = true } }
        func lostSight() { state.withLock { $0.unknown += 1 } }

        func note(_ write: Write) {
            state.withLock { $0.acknowledged.append(write) }
            arrival.yield(write)
        }
    }

    private static let path = "/demo/pulse"
    private static let lockPath = "/demo/locks/pulse"

    static func tell(_ world: DemoWorld, _ story: Story) async throws {
        story.chapter(4, "The leader is killed", "while one client writes all the time and another one holds a lock")
        let (writer, holder, waiter) = (
            try await world.connect(), try await world.connect(), try await world.connect()
        )
        try await writer.create(path, Array("0".utf8))
        let grant = try await DistributedLock(holder, at: lockPath, identity: "ines").acquire(timeout: .seconds(10))
        story.tell("ines", "has the lock, token \(grant.token)")
        let log = Log()
        let next = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await write(with: writer, log) }
            let next = Task {
                try await DistributedLock(waiter, at: lockPath, identity: "jon").acquire(timeout: .seconds(10))
            }
            defer { log.finish() }
            var arrivals = log.arrivals.makeAsyncIterator()
            for _ in 0..<100 { _ = await arrivals.next(isolation: #isolation) }
            try await killLeader(world, story, &arrivals)
            for _ in 0..<100 { _ = await arrivals.next(isolation: #isolation) }
            return next
        }
        try await check(writer, log, story)
        try await grant.guarded([.setData(path, Array("ines".utf8), version: nil)])
        story.check("ines still holds the lock: her guarded write is taken", grant.loss == nil)
        await grant.release()
        let token = try await next.value.token
        story.tell("jon", "has the lock, token \(token)")
        let states = [writer, holder, waiter].map(\.state)
        story.check(
            "no session was lost, and the tokens grow",
            states.allSatisfy { !$0.isOver } && token > grant.token)
        await (try await next.value).release()
        try await takeBack(world, story)
        await world.closeClients()
    }

    /// Kills the leader and measures until a write is acknowledged that its successor has taken.
    private static func killLeader(
        _ world: DemoWorld, _ story: Story, _ arrivals: inout AsyncStream<Write>.Iterator
    ) async throws {
        let leader = try await world.quorum.untilLeader()
        guard let last = await arrivals.next(isolation: #isolation) else { throw CancellationError() }
        story.tell("servers", "server \(leader) leads epoch \(last.zxid.epoch), and is killed")
        let begin = ContinuousClock.now
        try await world.quorum.kill(leader)
        while let write = await arrivals.next(isolation: #isolation) {
            guard write.zxid.epoch > last.zxid.epoch else { continue }
            let successor = try await world.quorum.untilLeader(otherThan: leader)
            let time = write.time - begin
            story.tell("servers", "server \(successor) leads epoch \(write.zxid.epoch)")
            story.check(
                "the next write was acknowledged \(DurationText.format(time)) after the kill",
                successor != leader && time < .seconds(2))
            return
        }
        throw CancellationError()
    }

    /// Writes until it is told to stop.
    private static func write(with client: ZooKeeperClient, _ log: Log) async throws(ZooKeeperError) {
        while !log.isFinished {
            do throws(ZooKeeperError) {
                let stat = try await client.setData(at: path, to: Array("\(log.acknowledged.count)".utf8))
                log.note(Write(zxid: stat.mzxid, time: .now, version: stat.version))
            } catch {
                // Whether it was done, the node's version will tell.
                guard error.isOutcomeUnknown else { throw error }
                log.lostSight()
            }
        }
    }

    private static func check(_ client: ZooKeeperClient, _ log: Log, _ story: Story) async throws {
        let (writes, unknown) = (log.acknowledged, log.unknown)
        let version = try await client.data(at: path).stat.version
        let possible = writes.count...writes.count + unknown
        story.check(
            "\(version) writes were done: \(writes.count) acknowledged, \(unknown) of unknown outcome; none was lost",
            possible.contains(Int(version)))
        story.check(
            "their zxids and versions grow",
            zip(writes, writes.dropFirst()).allSatisfy { $0.zxid < $1.zxid && $0.version < $1.version })
    }

    /// Starts the killed server again, which catches up.
    private static func takeBack(_ world: DemoWorld, _ story: Story) async throws {
        let begin = ContinuousClock.now
        try await world.quorum.restartAll()
        try await world.quorum.untilServing()
        story.tell(
            "servers", "the killed one is back and up to date \(DurationText.format(ContinuousClock.now - begin)) later"
        )
        story.check("all three servers hold the same", try await world.hasEqualTrees())
    }
}

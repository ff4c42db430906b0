import ConclaveCore
import ConclaveServer
import ConclaveSystem
import ConclaveWire
import TestLanes
import Testing

@testable import BenchmarkKit

/// `exists` of a node that is there, and of one that is not at every fourth turn.
private struct HalfMissing: Workload {
    static let name = "half-missing"
    let connections = 2
    let depth = 4
    private let found = Frames.make(.exists(path: "/", watch: false))
    private let missing = Frames.make(.exists(path: "/missing", watch: false))
    private var turn = 0

    mutating func prepare(_ lane: Lane) {}

    mutating func send(on lane: Lane, at now: Int64) {
        lane.queue(turn % 4 == 3 ? missing : found, at: now)
        turn += 1
    }
}

@Suite("The load engine", .live)
struct EngineTests {
    private func withServer<R>(_ body: (SocketAddress) throws -> R) async throws -> R {
        let server = try await ZooKeeperServer.startTemporary()
        let address = try #require(SocketAddress(server.connectString))
        do {
            let result = try body(address)
            await server.stop()
            return result
        } catch {
            await server.stop()
            throw error
        }
    }

    private func engine(_ address: SocketAddress, milliseconds: Int64, rate: Double? = nil) -> Engine {
        Engine(
            address: address, server: nil, warmUpMilliseconds: 0, measuredMilliseconds: milliseconds, rate: rate)
    }

    @Test("Operations that fail are counted by themselves and in no latency", arguments: [nil, 2_000])
    func failures(rate: Double?) async throws {
        let measurement = try await withServer { address in
            var workload = HalfMissing()
            return try engine(address, milliseconds: 200, rate: rate).run(&workload)
        }
        let (good, bad) = (measurement.histogram.count, measurement.failures.count)
        #expect(bad > 0)
        // One in four, give or take those that the end cut off.
        #expect(abs(good - 3 * bad) <= 12, "\(good) succeeded, \(bad) failed")
        #expect(
            measurement.failures.text(of: good + bad)
                == "\(bad) of \(good + bad) operations failed, the first with: half-missing: error -101")
        #expect(measurement.values["operations"] == Double(good))
        #expect(measurement.values["failed"] == Double(bad))
    }

    @Test("Where nothing fails nothing is said to")
    func success() async throws {
        let measurement = try await withServer { address in
            var workload = SetWorkload(connections: 2, depth: 4)
            return try engine(address, milliseconds: 100).run(&workload)
        }
        #expect(measurement.histogram.count > 0)
        #expect(measurement.failures.text(of: measurement.histogram.count) == nil)
    }

    @Test("At a fixed rate every request is sent and answered, whatever the server's speed")
    func rate() async throws {
        let measurement = try await withServer { address in
            var workload = SetWorkload(connections: 4, depth: 1)
            return try engine(address, milliseconds: 250, rate: 1_000).run(&workload)
        }
        #expect(measurement.histogram.count == 250)
        #expect(measurement.failures.count == 0)
    }

    @Test("Latency counts from the due time: a server that stalls is slow for everybody who came meanwhile")
    func dueTime() throws {
        // The request that is due after k milliseconds is answered no sooner than the last, due after 199.
        let server = try FakeServer(holdingBack: 200)
        defer { server.stop() }
        var workload = PingWorkload(connections: 1)
        let measurement = try engine(server.address, milliseconds: 200, rate: 1_000).run(&workload)
        #expect(measurement.histogram.count == 200)
        #expect(measurement.histogram.percentile(0.5) >= 99_000_000)
        #expect(measurement.histogram.percentile(0.9) >= 178_000_000)
        #expect(measurement.histogram.maximum >= 199_000_000)
    }

    @Test("What is not answered in time after the end has failed")
    func unanswered() throws {
        let server = try FakeServer(holdingBack: .max)
        defer { server.stop() }
        var engine = engine(server.address, milliseconds: 50, rate: 1_000)
        engine.patienceMilliseconds = 100
        var workload = PingWorkload(connections: 1)
        let measurement = try engine.run(&workload)
        #expect(measurement.histogram.count == 0)
        #expect(
            measurement.failures.text(of: 50)
                == "50 of 50 operations failed, the first with: no answer 100 ms after the end")
    }

    @Test("A schedule names every due time once and none before it has come")
    func schedule() {
        var schedule = Engine.Schedule(start: 1_000, rate: 1_000, warmUpMilliseconds: 1, measuredMilliseconds: 2)
        #expect(schedule.begin == 1_001_000)
        #expect(schedule.end == 3_001_000)
        #expect(schedule.due(by: 999) == nil)
        #expect(schedule.due(by: 1_000) == 1_000)
        schedule.taken()
        #expect(schedule.due(by: 1_000_999) == nil)
        // Late: the due time stays what it was.
        #expect(schedule.due(by: 9_000_000) == 1_001_000)
        schedule.taken()
        #expect(schedule.left == 1)
        #expect(schedule.due(by: 9_000_000) == 2_001_000)
        schedule.taken()
        #expect(!schedule.isOpen)
        #expect(schedule.due(by: 9_000_000) == nil)
    }

    @Test("Nobody at the address is said to be nobody")
    func nobody() throws {
        let port = try ReservedPort()
        #expect(throws: (any Error).self) { try Probe.openSession(at: .loopback(port: port.number)) }
    }

    @Test("What load leaves is removed, also nodes with children")
    func clearing() async throws {
        let left = try await withServer { address in
            var workload = SetWorkload(connections: 1, depth: 1)
            _ = try engine(address, milliseconds: 20).run(&workload)
            let lane = try Lane(index: 0, to: address)
            try LoadTree.ensure("/conclave-bench-7-lock", lane)
            try LoadTree.ensure("/conclave-bench-7-lock/a", lane)
            try LoadTree.ensure("/conclave-bench-8-lock", lane)
            let clearing = try Clearing(address)
            try clearing.clearLoads()
            try clearing.clear(prefix: "conclave-bench-7-")
            let (_, body) = try lane.call(.getChildren(path: "/", watch: false))
            var reader = ByteReader(body)
            return try reader.readNames().sorted()
        }
        #expect(left == ["conclave-bench-8-lock", "zookeeper"])
    }
}

import ConclaveCore
import ConclaveSimulator
import TestLanes
import Testing

/// Sends back whatever comes. Server 0 counts as leader, so that healing can be seen.
private struct EchoServer: SimulatedServer {
    struct Setup: Sendable {}

    var disk: SimulatedDisk
    let nextDeadline = Instant.distantFuture

    init(_ setup: Setup, disk: consuming SimulatedDisk, world: inout World) {
        self.disk = disk
        world.listen(on: .client)
        world.observe(.recovered(through: .zero))
        if world.process == 0 { world.observe(.activated(epoch: world.now.nanoseconds)) }
        world.observe(.serving(through: .zero, digest: nil))
    }

    mutating func tick(world: inout World) {}
    mutating func dialled(_ link: Link, world: inout World) {}
    mutating func dialFailed(_ link: Link, world: inout World) {}
    mutating func accepted(_ link: Link, on port: Port, world: inout World) {}
    mutating func closed(_ link: Link, world: inout World) {}
    mutating func performStorage(world: inout World) {}

    mutating func received(_ bytes: Span<UInt8>, on link: Link, world: inout World) {
        var copy: [UInt8] = []
        for index in bytes.indices { copy.append(bytes[index]) }
        world.send(copy, on: link)
    }
}

/// Sends numbered bytes and expects them back, all of them and in order, for as long as a connection lives.
private struct EchoClient: SimulatedClient {
    struct Setup: Sendable {}
    typealias Model = ToyModel

    let record = ClientRecord<ToyModel.Request, ToyAnswer, Int32>()
    private(set) var answeredWrites = 0
    private(set) var isFinished = false
    private(set) var nextDeadline: Instant
    private var link: Link?
    private var isConnected = false
    private var sent: UInt8 = 0
    private var heard: UInt8 = 0
    private var heardAt = Instant.start

    init(_ setup: Setup, world: inout World) { nextDeadline = world.now }

    mutating func finish(world: inout World) { isFinished = true }

    mutating func tick(world: inout World) {
        nextDeadline = world.now.advanced(byMilliseconds: 20)
        guard let link else {
            self.link = world.dial(world.random.index(below: world.serverCount), .client)
            (sent, heard, heardAt) = (0, 0, world.now)
            return
        }
        guard isConnected else { return }
        if world.now > heardAt.advanced(byMilliseconds: 1_000) {
            world.close(link)
            return closed(link, world: &world)
        }
        let count = 1 + world.random.index(below: 40)
        world.send((0..<count).map { sent &+ UInt8($0) }, on: link)
        sent &+= UInt8(count)
    }

    mutating func dialled(_ link: Link, world: inout World) {
        isConnected = true
        heardAt = world.now
    }

    mutating func dialFailed(_ link: Link, world: inout World) { closed(link, world: &world) }

    mutating func closed(_ link: Link, world: inout World) {
        guard link == self.link else { return world.fail("links are closed once", "\(link)") }
        self.link = nil
        isConnected = false
    }

    mutating func received(_ bytes: Span<UInt8>, on link: Link, world: inout World) {
        guard link == self.link, isConnected else { return world.fail("bytes come on open links", "\(link)") }
        heardAt = world.now
        for index in bytes.indices {
            guard bytes[index] == heard else {
                return world.fail("bytes come in order", "\(bytes[index]) in place of \(heard)")
            }
            heard &+= 1
        }
        answeredWrites += 1
    }
}

@Suite(.aside) struct EchoTests {
    @Test(
        "Within a connection nothing is lost, doubled or put in another order, whatever fails",
        arguments: [FaultProfile.network, .everything, .crashes])
    func order(profile: FaultProfile) {
        let sweep = SeedSweep<EchoServer, EchoClient>(profile, servers: .init(), clients: .init()) { seed in
            var options = SimulationOptions.drawn(seed: seed)
            options.safetyMilliseconds = 5_000
            return options
        }
        let report = sweep.run(0..<Replay.seedCount(orElse: 2))
        expectKept(report, profile, filter: "EchoTests")
        #expect(report.answeredWrites > report.runs * 50)
    }

    @Test("A process that never rests is found")
    func restless() {
        var options = SimulationOptions(seed: 1)
        options.eventLimit = 2_000
        var simulation = Simulation<EchoServer, EchoClient>(options, plan: .none, servers: .init(), clients: .init())
        #expect(simulation.run().violation?.rule == "the cluster comes to rest")
    }

    @Test("A cluster that does not come back after its faults is found")
    func noLeader() {
        // Server 0 leads until it is killed, and is then not told to lead again with the same epoch.
        var options = SimulationOptions(seed: 1)
        options.healingMilliseconds = 500
        let plan = FaultPlan(faults: [
            PlannedFault(.slowNetwork, atMilliseconds: 0, lastsMilliseconds: 20_000, target: .server(0), choice: 999)
        ])
        options.network.minimumDelayMicroseconds = 2_000_000
        var simulation = Simulation<EchoServer, EchoClient>(options, plan: plan, servers: .init(), clients: .init())
        #expect(simulation.run().violation?.rule == "a healed cluster serves again")
    }
}

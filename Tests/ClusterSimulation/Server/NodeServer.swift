import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveSimulator
import ConclaveStorage
import ConclaveTree
import ConclaveWire

/// A server of the product in the simulator: the real node machine over the real store, with a shell that does for them what
/// the server's shell does with sockets and threads.
///
/// Server n of the simulator has the number n + 1. Nothing in here decides anything: it carries orders out and reports what
/// becomes of them, and tells the judge the facts. Planted bugs are the exception; they live here so that the product has none.
package struct NodeServer: SimulatedServer {
    package struct Setup: Sendable {
        package var planted: PlantedBug?
        /// What a client has read goes out at once, as with a real server; else with whatever the server does next. The
        /// kept seeds and the table of planted bugs were found without.
        package var answersAtOnce: Bool

        package init(planted: PlantedBug? = nil, answersAtOnce: Bool = false) {
            self.planted = planted
            self.answersAtOnce = answersAtOnce
        }
    }

    /// A connection to another server.
    struct Peer: Sendable {
        enum Use: Sendable, Equatable {
            case accepted
            case dialsElection(ServerID)
            case dialsLeader
            case open
            /// To the leader of this server.
            case leader
        }

        var link: Link
        var port: Port
        var use: Use
    }

    let id: ServerID
    let planted: PlantedBug?
    let cluster: ClusterOptions
    var store: Store<PlantedDisk>
    /// `nil` if the start failed.
    var node: NodeMachine?

    // Asked for single links only.
    var peers: [LinkID: Peer] = [:]
    var clients: [ConnectionID: Link] = [:]
    var connections: [Link: ConnectionID] = [:]
    /// Connections with output for which the socket has no room.
    var blocked: [ConnectionID] = []

    // Storage.
    var orders = RingBuffer<StorageOrder>()
    var jobs = RingBuffer<StorageJob>()
    /// An order of the node is under way.
    var isStoring = false
    var snapshot: SnapshotPlan?
    var isLastSliceSent = false
    var isReplacingHistory = false
    var isSnapshotStalled = false
    /// Slices of earlier snapshots are recognised by it.
    var snapshotSerial = 0
    var snapshotWaiters: [LinkID] = []
    var snapshotReaders: [LinkID] = []

    // What the judge was told.
    var unapplied = RingBuffer<Zxid>()
    var lastLogged = Zxid.zero
    /// The end of the history when the last epoch was adopted.
    var adopted = Zxid.zero
    var shownThrough: Zxid?
    var acknowledging = QuorumPacketDecoder()
    /// Something was done for clients that may have given the node work.
    var hasClientWork = false
    private let answersAtOnce: Bool
    var mischief = Mischief()

    package var disk: SimulatedDisk {
        get { store.disk.disk }
        set { store.disk.disk = newValue }
    }

    package init(_ setup: Setup, disk: consuming SimulatedDisk, world: inout World) {
        let index = world.process
        id = ServerID(rawValue: Int64(index) + 1)
        planted = setup.planted
        answersAtOnce = setup.answersAtOnce
        cluster = ClusterOptions(world.options)
        let seed = world.random.next()
        let isForgotten = setup.planted == .startsEmpty && seed % 8 == 0
        store = Store(
            disk: PlantedDisk(isForgotten ? SimulatedDisk() : disk, planted: setup.planted), dataDirectory: "/data",
            logDirectory: "/data",
            options: cluster.storage(seed: seed))
        do throws(StorageError) {
            try start(seed: seed, &world)
        } catch {
            stop(error, &world)
        }
    }

    private mutating func start(seed: UInt64, _ world: inout World) throws(StorageError) {
        let ensemble = cluster.ensemble(id)
        var treeOptions = TreeOptions()
        treeOptions.hashSeed = seed
        var loader = TreeLoader(options: treeOptions, keepingRecent: ensemble.commitLogCount + 1)
        let recovered = try store.recover(into: &loader)
        let epochs = try store.loadEpochs()
        if let mismatch = loader.digestMismatches.first {
            world.fail("equal histories give equal states", "replaying \(mismatch.zxid) gave another digest")
        }
        if let problem = loader.problems.first { world.fail("a snapshot is whole", "\(problem)") }
        lastLogged = max(recovered.lastZxid, .zero)
        world.observe(.recovered(through: lastLogged))
        world.observe(.acceptedEpoch(epochs.accepted))
        world.observe(.currentEpoch(epochs.current))
        let machine = ServerMachine(
            options: cluster.server(id, hashSeed: seed), tree: loader.tree, commandWords: [], now: world.now,
            wall: world.wall)
        var node = NodeMachine(
            options: ensemble, configuration: cluster.configuration(seenBy: id, planted),
            role: cluster.role(of: id, planted), server: machine,
            acceptedEpoch: epochs.accepted, currentEpoch: epochs.current,
            history: loader.recent.map { Proposal($0) }, now: world.now)
        node.start(now: world.now, wall: world.wall)
        self.node = node
        for port in Port.allCases { world.listen(on: port) }
        work(&world)
    }

    /// Storage is gone, and with it the server. That must have a cause: a call that failed because the plan said so, or
    /// damage.
    func stop(_ error: StorageError, _ world: inout World) {
        let hasFailed = store.disk.disk.failureCount > 0
        let isDamaged = world.view.servers[world.process].isDamaged
        let isOfDisk =
            switch error.code {
            case .disk, .full: hasFailed
            // A snapshot that cannot be read counts as damaged, and then the logs do not reach from an older one.
            case .corrupt, .missing, .gap: hasFailed || isDamaged
            case .noSnapshot, .unsupported: isDamaged
            case .layout, .epochs, .misuse, .stopped: false
            }
        world.stop(isOfDisk ? .disk(error.description) : .fatal(error.description))
    }

    // MARK: Time

    package var nextDeadline: Instant { node?.nextDeadline ?? .distantFuture }

    package mutating func tick(world: inout World) {
        endSessionEarly(world)
        node?.tick(now: Self.now(world, planted), wall: world.wall)
        work(&world)
    }

    static func now(_ world: borrowing World, _ planted: PlantedBug?) -> Instant {
        guard planted == .countsWallTime else { return world.now }
        return Instant(milliseconds: world.wall.milliseconds)
    }

    // MARK: A turn

    /// Lets the node go on until it has nothing more to say.
    mutating func work(_ world: inout World) {
        if answersAtOnce { hasClientWork = true }
        while let actions = turn(world) {
            for action in actions { perform(action, &world) }
            observeApplied(&world)
            serveClients(&world)
        }
        sendOrders(&world)
    }

    /// - Returns: `nil` if there is nothing to do.
    private mutating func turn(_ world: World) -> [NodeAction]? {
        node?.turn(now: Self.now(world, planted), wall: world.wall)
        guard let actions = node?.takeActions() else { return nil }
        let hasMore = !actions.isEmpty || hasClientWork
        return hasMore ? actions : nil
    }

    private mutating func perform(_ action: NodeAction, _ world: inout World) {
        switch action {
        case .dialElection(let server, _):
            let link = world.dial(Int(server.rawValue) - 1, .election)
            peers[LinkID(rawValue: link.rawValue)] = Peer(link: link, port: .election, use: .dialsElection(server))
        case .dialLeader(let addresses):
            let host = addresses.first?.host ?? ""
            let link = world.dial(ClusterOptions.index(ofHost: host), .quorum)
            peers[LinkID(rawValue: link.rawValue)] = Peer(link: link, port: .quorum, use: .dialsLeader)
        case .sendElection(let link, let bytes): sendElection(bytes, on: link, &world)
        case .sendQuorum(let link, let bytes), .sendQuorumLater(let link, let bytes):
            sendQuorum(bytes, on: link, &world)
        case .closeElection(let link): close(link, &world)
        case .closeQuorum(let link, let reason):
            world.note("closes \(link): \(reason)")
            snapshotWaiters.removeAll { $0 == link }
            snapshotReaders.removeAll { $0 == link }
            close(link, &world)
        case .needSnapshot(let link):
            snapshotWaiters.append(link)
            serveSnapshotWaiters(&world)
        case .needHistory(let link, let after, let through, let isFirst):
            storage(.readHistory(link, after: after, through: through, isFirst: isFirst), bytes: 0, &world)
        case .order(let order): take(order, &world)
        case .adopt, .announced: break
        case .roleChanged(let role): changed(role, &world)
        case .note(let event): world.note("\(event.level): \(event.message)")
        }
    }

    private mutating func close(_ link: LinkID, _ world: inout World) {
        guard let peer = peers.removeValue(forKey: link) else { return }
        world.close(peer.link)
    }
}

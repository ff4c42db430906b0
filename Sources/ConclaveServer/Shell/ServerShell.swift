import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveStorage
import ConclaveSystem
import ConclaveTransport
import ConclaveTree

/// The thin layer between a ``ServerMachine`` and the world: sockets on an event loop, a storage thread, clocks.
///
/// Lives on its loop. Durable order: what the machine proposes goes into the open batch; the batch goes to the storage thread
/// as soon as that is free, so that one sync serves everything that came in the meantime; the receipt goes back to the machine.
final class ServerShell {
    /// Above this many unsent bytes a connection gets nothing more from the machine until it has drained.
    static let connectionHighWaterBytes = 1 << 20
    /// How often connections are served again within one turn.
    private static let flushRoundsPerTurn = 4

    let loop: EventLoop
    let configuration: ServerConfiguration
    let started: Instant
    /// Set for a server that stands alone; otherwise ``node`` has the machine.
    private var alone: ServerMachine?
    /// Set for a server of an ensemble.
    var node: NodeMachine?
    var storageStatistics = StorageStatistics()
    private(set) var connections: [ConnectionID: ClientLink] = [:]
    private var listener: Listener?
    var worker: StorageWorker?
    var peers: PeerNetwork?
    /// What the node machine has ordered and the storage thread has not been given yet.
    var orders = RingBuffer<StorageOrder>()
    /// How many appends of the node machine the storage thread has.
    var appendsUnderWay = 0
    /// Connections to other servers whose output is about to be looked at.
    var sentLinks: Set<LinkID> = []
    /// Learners that wait for a snapshot to begin, and those that get the one being written.
    var snapshotWaiters: [LinkID] = []
    var snapshotReaders: [LinkID] = []
    /// Which snapshot is being written, whether storage owes a report on it, and how many reports on others are to come.
    var snapshotSerial = 0
    var isSnapshotReportDue = false
    var ignoredSnapshotReports = 0
    /// The snapshot being written takes the place of the history.
    var isReplacingHistory = false
    /// What is not on its way to the disk yet: the last batch is open, those before it are full.
    private var batches = RingBuffer<LogBatch>()
    private var batch = LogBatch()
    var isSyncing = false
    var snapshot: SnapshotPlan?
    var isLastSliceSent = false
    private var timer: (token: TimerToken, deadline: Instant)?
    private var connectionsPerAddress: [String: Int] = [:]
    private(set) var isStopping = false
    private var isKilled = false
    /// What the next start would have to replay.
    var transactionsToReplay = 0
    private var failure: ZooKeeperError?
    /// Hears of every change of role, for whoever waits for the server to serve.
    var onRole: ((ServingRole) -> Void)?
    private let log: any EventSink
    private let ended: @Sendable (ZooKeeperError?) -> Void

    /// - Parameter ended: called once, on the loop, when everything has been written, or with the error that ended the server.
    init(
        loop: EventLoop, configuration: ServerConfiguration, machine: ServerMachine?, node: NodeMachine? = nil,
        log: any EventSink, ended: @escaping @Sendable (ZooKeeperError?) -> Void
    ) {
        self.loop = loop
        self.configuration = configuration
        precondition((machine == nil) != (node == nil), "a server stands alone or belongs to an ensemble")
        alone = machine
        self.node = node
        self.log = log
        self.ended = ended
        started = SystemClock.now()
    }

    /// The client side, whatever it is a part of.
    var machine: ServerMachine {
        // The initialiser has seen to it that one of the two is there.
        _read { if node != nil { yield node!.server } else { yield alone! } }
        _modify { if node != nil { yield &node!.server } else { yield &alone! } }
    }

    // MARK: Life

    /// Begins to serve. On the loop.
    func start(worker: StorageWorker, sockets: Sockets, severed: Set<UInt16>) throws(SystemError) {
        self.worker = worker
        loop.beforeWaiting { [weak self] in self?.endTurn() }
        if let ensemble = configuration.ensemble {
            let peers = PeerNetwork(
                loop: loop, connectTimeoutMilliseconds: Int64(ensemble.connectTimeoutMilliseconds),
                keepsAlive: ensemble.keepsConnectionsAlive, delegate: self)
            peers.sever(from: severed)
            for (port, socket) in sockets.peers { try peers.listen(socket, for: port) }
            self.peers = peers
        }
        guard let clients = sockets.clients else { return began() }
        listener = try Listener(
            loop: loop, socket: clients,
            onShortage: { [log] errno, closed in
                log.record(LogEvent(.warning, "accepting rests: \(errno); \(closed) connections were closed"))
            },
            onAccept: { [weak self] socket, peer in self?.accept(socket, peer) })
        began()
    }

    private func began() {
        if configuration.purgeIntervalSeconds > 0 { purge() }
        node?.start(now: SystemClock.now(), wall: SystemClock.wallTime())
    }

    var port: Int { Int(listener?.address?.port ?? 0) }

    /// Refuses new clients, lets what is in flight reach the disk, and ends.
    func stop() {
        guard !isStopping else { return }
        isStopping = true
        listener?.close()
        node?.stop(now: SystemClock.now(), wall: SystemClock.wallTime())
        if node != nil { turnNode() }
        peers?.finish()
        for link in connections.values { link.connection.finish() }
        endWorkerIfIdle()
    }

    /// The last thing that storage is asked: nothing may be ordered afterwards.
    private func endWorkerIfIdle() {
        guard isStopping, batch.isEmpty, batches.isEmpty, orders.isEmpty, !isSyncing, snapshot == nil, let worker else {
            return
        }
        // The next start is quick if it has little to replay.
        if transactionsToReplay > configuration.snapshotEvery / 10 {
            note(.info, "writing a snapshot before the end, for a quick start")
            return beginSnapshot()
        }
        worker.stop()
        self.worker = nil
    }

    /// Ends at once, whatever is under way.
    func kill() {
        guard !isKilled else { return }
        isKilled = true
        isStopping = true
        listener?.close()
        peers?.close()
        for link in connections.values { link.connection.close() }
        // Without one storage is ending already, and reports that.
        worker?.kill()
        worker = nil
    }

    private func reportedAfterKill(_ report: StorageWorker.Report) {
        switch report {
        case .stopped, .failed: finish(nil)
        default: break
        }
    }

    func cutClients() {
        for link in connections.values { link.connection.reset() }
    }

    /// - Returns: `false` if there is no such session, `nil` if another server decides about it.
    func expire(_ session: SessionID) -> Bool? {
        machine.expire(session, now: loop.now, wall: SystemClock.wallTime())
    }

    private func accept(_ socket: Socket, _ peer: SocketAddress?) {
        let address = peer?.javaHost ?? "local"
        let count = connectionsPerAddress[address, default: 0]
        let perAddress = configuration.maximumConnectionsPerAddress
        let total = configuration.maximumConnections
        guard perAddress == 0 || count < perAddress, total == 0 || connections.count < total else {
            note(.warning, "refused \(address): \(count) connections from there, \(connections.count) in all")
            return socket.close()
        }
        let now = SystemClock.now()
        let id = machine.connectionOpened(
            peer: peer?.javaDescription ?? "local", peerAddress: address, now: now, wall: SystemClock.wallTime())
        let link = ClientLink(id: id, address: address, shell: self)
        do throws(SystemError) {
            var options = Connection.Options()
            // The machine bounds what waits; this only stops what got past it.
            options.outputLimitBytes = 64 << 20
            link.connection = try Connection(
                loop: loop, socket: socket, peerAddress: peer, delegate: link, options: options)
        } catch {
            note(.warning, "cannot serve \(address): \(error)")
            return machine.connectionClosed(id, now: now, wall: SystemClock.wallTime())
        }
        connections[id] = link
        connectionsPerAddress[address] = count + 1
    }

    // MARK: From connections

    func received(_ bytes: Span<UInt8>, on id: ConnectionID) {
        machine.received(bytes, on: id, now: loop.now, wall: SystemClock.wallTime())
    }

    func drained(_ id: ConnectionID) {
        flush(id)
        machine.outputDrained(id, now: loop.now, wall: SystemClock.wallTime())
        comeBack()
    }

    func closed(_ link: ClientLink) {
        connections[link.id] = nil
        if let count = connectionsPerAddress[link.address] {
            connectionsPerAddress[link.address] = count > 1 ? count - 1 : nil
        }
        machine.connectionClosed(link.id, now: loop.now, wall: SystemClock.wallTime())
        comeBack()
    }

    // MARK: From storage

    func report(_ report: StorageWorker.Report) {
        if isKilled { return reportedAfterKill(report) }
        switch report {
        case .synced(let receipt, let milliseconds, let isSnapshotDue, let replay):
            isSyncing = false
            transactionsToReplay = replay
            storageStatistics.syncs.record(milliseconds)
            if milliseconds > configuration.slowSyncMilliseconds {
                note(.warning, "a sync of the transaction log took \(milliseconds) ms")
            }
            if node == nil {
                machine.synced(receipt, now: loop.now, wall: SystemClock.wallTime())
            } else {
                nodeSynced(receipt)
            }
            if isSnapshotDue, snapshot == nil, !isStopping { beginSnapshot() }
        case .snapshotWritten: if isOwnSnapshotReport() { writeSnapshotSlice() }
        case .snapshotUnchecked:
            guard isOwnSnapshotReport() else { return }
            isSnapshotReportDue = true
            worker?.send(.checkSnapshot)
        case .snapshotFinished(let milliseconds):
            guard isOwnSnapshotReport() else { return }
            snapshot = nil
            serveSnapshotWaiters()
            storageStatistics.snapshots.record(milliseconds)
            note(.info, "snapshot written in \(milliseconds) ms")
            endWorkerIfIdle()
        case .purged(let names):
            if !names.isEmpty { note(.info, "purged \(names.count) old files") }
        case .acceptedEpochSaved, .currentEpochSaved, .reloaded, .notCut, .snapshotInstalled, .historyRead:
            reportToNode(report)
        case .failed(let error): fail(error)
        case .stopped: finish(nil)
        }
    }

    /// Storage is gone, and with it everything that could be promised: nothing in flight is answered.
    private func fail(_ error: StorageError) {
        let failure = ZooKeeperError(.storageFailure, path: error.file, message: error.description)
        note(.error, "storage failed, the server ends: \(error)")
        isStopping = true
        worker = nil
        listener?.close()
        peers?.close()
        for link in connections.values { link.connection.reset() }
        finish(failure)
    }

    private func finish(_ error: ZooKeeperError?) {
        if let timer { loop.cancel(timer.token) }
        timer = nil
        peers?.close()
        ended(error)
    }

    // MARK: The end of a turn

    private func endTurn() {
        guard !isKilled else { return }
        if node != nil { turnNode() }
        perform(machine.takeActions())
        // Flushing lets connections go on that were held back by their output, which makes more of it. A few rounds here,
        // then the others have their turn.
        var round = 0
        while true {
            let flushable = machine.takeFlushable()
            guard !flushable.isEmpty else { break }
            for id in flushable { flush(id) }
            if node != nil { turnNode() }
            perform(machine.takeActions())
            round += 1
            guard round < Self.flushRoundsPerTurn else {
                comeBack()
                break
            }
        }
        if node == nil { logProposals() } else { sendOrders() }
        endWorkerIfIdle()
        updateTimer()
    }

    private func logProposals() {
        for transaction in machine.takeProposals() {
            if batch.count >= configuration.maximumBatchSize {
                batches.append(batch)
                batch = LogBatch()
            }
            batch.append(transaction)
        }
        if !isSyncing, let worker, !batch.isEmpty {
            isSyncing = true
            if let full = batches.popFirst() {
                worker.send(.append(full))
            } else {
                worker.send(.append(batch))
                batch = LogBatch()
            }
        }
    }

    /// Moves output from the machine to a connection, unless the connection has enough already.
    private func flush(_ id: ConnectionID) {
        guard let connection = connections[id]?.connection,
            connection.pendingBytes < Self.connectionHighWaterBytes
        else { return }
        if let bytes = machine.takeLargeOutput(of: id) {
            connection.send(handingOver: bytes)
        } else {
            machine.takeOutput(of: id) { connection.send($0) }
        }
        // Whatever the system does not take now, it reports when it has.
        if connection.pendingBytes >= Self.connectionHighWaterBytes { connection.flush() }
        if connection.pendingBytes < Self.connectionHighWaterBytes {
            machine.outputDrained(id, now: loop.now, wall: SystemClock.wallTime())
        }
    }

    /// Has the loop turn once more although nothing new has come: for what happens behind the end of a turn, when connections
    /// send and report that they have drained or are closed.
    func comeBack() { loop.schedule(at: loop.now) {} }

    private func perform(_ actions: [ServerAction]) {
        for action in actions {
            switch action {
            case .close(let id, let reason):
                guard let link = connections[id] else { continue }
                note(.debug, "closing \(link.address): \(reason)")
                machine.takeOutput(of: id) { link.connection.send($0) }
                link.connection.finish()
            case .pauseReading(let id): connections[id]?.connection.pauseReading()
            case .resumeReading(let id): connections[id]?.connection.resumeReading()
            case .command(let word, let id):
                let text = AdminCommands.answer(word, from: id, machine: &machine, facts: adminFacts())
                machine.answer(text, to: id)
                perform(machine.takeActions())
            case .note(let event): log.record(event)
            }
        }
    }

    private func updateTimer() {
        let deadline = node?.nextDeadline ?? machine.nextDeadline
        if let timer, timer.deadline == deadline { return }
        if let timer { loop.cancel(timer.token) }
        let token = loop.schedule(at: deadline) { [weak self] in
            guard let self else { return }
            timer = nil
            let (now, wall) = (SystemClock.now(), SystemClock.wallTime())
            if node != nil { node?.tick(now: now, wall: wall) } else { machine.tick(now: now, wall: wall) }
        }
        timer = (token, deadline)
    }

    // MARK: Purges

    private func purge() {
        guard !isStopping else { return }
        worker?.send(.purge)
        let next = SystemClock.now().advanced(byMilliseconds: Int64(configuration.purgeIntervalSeconds) * 1000)
        loop.schedule(at: next) { [weak self] in self?.purge() }
    }

    func note(_ level: LogEvent.Level, _ message: String) { log.record(LogEvent(level, message)) }
}

/// One client's connection, as the loop knows it.
final class ClientLink: ConnectionDelegate {
    let id: ConnectionID
    let address: String
    // Weak: a connection may tell its end after the server has gone.
    private weak let shell: ServerShell?
    // Set directly after the link is made, before anything can call it.
    var connection: Connection!

    init(id: ConnectionID, address: String, shell: ServerShell) {
        self.id = id
        self.address = address
        self.shell = shell
    }

    func connection(_ connection: Connection, received bytes: Span<UInt8>) { shell?.received(bytes, on: id) }
    func connectionDrained(_ connection: Connection) { shell?.drained(id) }
    func connection(_ connection: Connection, closed reason: ConclaveTransport.CloseReason) { shell?.closed(self) }
}

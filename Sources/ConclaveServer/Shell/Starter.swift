import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveStorage
import ConclaveSystem
import ConclaveTransport
import ConclaveTree
import Synchronization

/// Builds a running server out of a configuration: data, machine, threads, listener. Blocks.
enum Starter {
    struct Started: Sendable {
        let loop: EventLoop
        let shell: LoopConfined<ServerShell>
        let worker: StorageWorker
        let ending: Ending
        let port: Int
        /// As it turned out to be, when the file of its number had been read.
        let configuration: ServerConfiguration
        let warnings: [String]
        let roles: RoleBoard
        let gate: FaultGate
    }

    /// What a start may be given beyond the configuration.
    struct Seams: Sendable {
        var log: any EventSink = SilentSink()
        /// Sockets that listen already; `nil` to open those of the configuration.
        var sockets: Sockets?
        /// Hears of every change of role on any thread, and of the end, which is `nil`.
        var onRole: @Sendable (ServingRole?) -> Void = { _ in }
        /// Ports of servers that this one is cut off from, for tests.
        var severed: Set<UInt16> = []
    }

    static func start(_ configuration: ServerConfiguration, _ seams: Seams) -> Result<Started, ZooKeeperError> {
        var opened = seams.sockets
        do throws(ZooKeeperError) {
            Signals.ignoreBrokenPipe()
            _ = ProcessStatistics.raiseDescriptorLimit()
            var configuration = configuration
            let warnings = try EnsembleStarter.identify(&configuration)
            // The sockets first: a used port is found out before a large snapshot is read.
            let sockets = if let opened { opened } else { try Sockets(configuration) }
            opened = sockets
            return .success(try start(configuration, on: sockets, warnings, seams))
        } catch {
            opened?.close()
            return .failure(error)
        }
    }

    private static func start(
        _ configuration: ServerConfiguration, on sockets: Sockets, _ warnings: [String], _ seams: Seams
    ) throws(ZooKeeperError) -> Started {
        let log = seams.log
        var random = SystemRandom()
        var options = configuration.serverOptions
        options.hashSeed = random.next()
        var treeOptions = TreeOptions()
        treeOptions.digestEnabled = options.digestEnabled
        treeOptions.extendedTypes = options.extendedTypes
        treeOptions.hashSeed = options.hashSeed
        var data = try OpenedData.open(configuration, treeOptions: treeOptions, seed: random.next())
        let allWarnings = warnings + data.warnings
        for warning in allWarnings { log.record(LogEvent(.warning, warning)) }

        let loop = try EventLoop(name: "conclave-loop")
        let (ending, roles, gate) = (Ending(), RoleBoard(onChange: seams.onRole), FaultGate())
        let locks = HeldLocks(data.locks)
        let ended: @Sendable (ZooKeeperError?) -> Void = { error in
            // Whoever waits for the end may start another server on the directory at once.
            locks.release()
            roles.end()
            ending.finish(error)
        }
        let machine = ServerMachine(
            options: options, tree: data.tree, commandWords: AdminCommands.words, now: SystemClock.now(),
            wall: SystemClock.wallTime())
        let node = try EnsembleStarter.node(configuration, machine, &data)
        let shell = ServerShell(
            loop: loop, configuration: configuration, machine: node == nil ? machine : nil, node: node, log: log,
            ended: ended)
        shell.onRole = { roles.set($0) }
        if node == nil { roles.set(.standalone) }
        shell.storageStatistics.replayed.record(Int64(data.recovered.replayed))
        shell.storageStatistics.loads.record(data.loadMilliseconds)
        shell.transactionsToReplay = data.recovered.replayed
        let confined = LoopConfined(shell, on: loop)
        do throws(SystemError) {
            let worker = try StorageWorker(store: data.store, gate: gate) { report in
                loop.submit { confined.withValue { $0.report(report) } }
            }
            let port = try onLoop(loop) { () throws(SystemError) -> Int in
                try confined.withValue { shell throws(SystemError) -> Int in
                    try shell.start(worker: worker, sockets: sockets, severed: seams.severed)
                    return shell.port
                }
            }
            return Started(
                loop: loop, shell: confined, worker: worker, ending: ending, port: port, configuration: configuration,
                warnings: allWarnings, roles: roles, gate: gate)
        } catch {
            loop.shutdown()
            loop.join()
            throw ZooKeeperError(.systemError, message: "cannot start the server", underlying: error)
        }
    }

    /// Runs something on a loop and waits for it. Not on the loop itself.
    private static func onLoop<R: Sendable>(
        _ loop: EventLoop, _ body: @escaping @Sendable () throws(SystemError) -> R
    ) throws(SystemError) -> R {
        let results = BlockingQueue<Result<R, SystemError>>(limit: 1)
        loop.submit {
            do throws(SystemError) {
                results.send(.success(try body()))
            } catch {
                results.send(.failure(error))
            }
        }
        guard let result = results.receive().first else { preconditionFailure("the queue was closed by nobody") }
        return try result.get()
    }
}

/// Keeps directories locked until it is told otherwise.
private final class HeldLocks: Sendable {
    private let locks: Mutex<[DirectoryLock]>

    init(_ locks: [DirectoryLock]) { self.locks = Mutex(locks) }

    func release() { locks.withLock { $0 = [] } }
}

extension ServerConfiguration {
    /// The part that the machine needs.
    var serverOptions: ServerOptions {
        var options = ServerOptions()
        options.tickMilliseconds = Int64(tickTimeMilliseconds)
        options.minimumSessionTimeoutMilliseconds = Int64(sessionTimeoutMilliseconds.lowerBound)
        options.maximumSessionTimeoutMilliseconds = Int64(sessionTimeoutMilliseconds.upperBound)
        options.maximumFrameBytes = maximumFrameBytes
        options.outstandingLimit = outstandingRequestLimit
        options.sessionLimit = maximumSessions
        options.watchesPerConnection = maximumWatchesPerConnection
        options.multiLimit = maximumMultiOperations
        options.outputLimitBytes = maximumOutputBytesPerConnection
        options.digestAuthentication = digestAuthenticationEnabled
        options.extendedTypes = extendedTypesEnabled
        options.enforceQuota = enforcesQuota
        options.skipACL = skipsACL
        options.superDigest = superDigest
        options.digestEnabled = digestEnabled
        options.existsRequiresRead = checksReadOnExistsAndEvents
        options.checksReadOnEvents = checksReadOnExistsAndEvents
        options.sessionlessTimeoutMilliseconds = Int64(sessionlessTimeoutMilliseconds)
        options.containerCheckMilliseconds = Int64(containerCheckIntervalMilliseconds)
        options.containerDeletesPerMinute = containerMaximumPerMinute
        options.containerNeverUsedMilliseconds = containerMaximumNeverUsedMilliseconds
        // Servers of an ensemble must not give out the same session ids.
        if let id = ensemble?.myID { options.serverID = UInt8(truncatingIfNeeded: id.rawValue) }
        if let ensemble {
            options.leaderServesClients = ensemble.leaderServesClients
            options.localSessions = ensemble.localSessionsEnabled
            options.upgradesLocalSessions = ensemble.localSessionsUpgradingEnabled
            options.readOnlyMode = ensemble.readOnlyModeEnabled
        }
        return options
    }
}

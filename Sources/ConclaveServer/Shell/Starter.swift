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
        let warnings: [String]
    }

    static func start(_ configuration: ServerConfiguration, log: any EventSink) -> Result<Started, ZooKeeperError> {
        do throws(ZooKeeperError) {
            Signals.ignoreBrokenPipe()
            _ = ProcessStatistics.raiseDescriptorLimit()
            // The socket first: a used port is found out before a large snapshot is read.
            let socket = try listen(configuration)
            do throws(ZooKeeperError) {
                return .success(try start(configuration, on: socket, log: log))
            } catch {
                socket.close()
                throw error
            }
        } catch {
            return .failure(error)
        }
    }

    private static func start(
        _ configuration: ServerConfiguration, on socket: Socket, log: any EventSink
    ) throws(ZooKeeperError) -> Started {
        var random = SystemRandom()
        var options = configuration.serverOptions
        options.hashSeed = random.next()
        var treeOptions = TreeOptions()
        treeOptions.digestEnabled = options.digestEnabled
        treeOptions.extendedTypes = options.extendedTypes
        treeOptions.hashSeed = options.hashSeed
        let data = try OpenedData.open(configuration, treeOptions: treeOptions, seed: random.next())
        for warning in data.warnings { log.record(LogEvent(.warning, warning)) }

        let loop = try EventLoop(name: "conclave-loop")
        let ending = Ending()
        let machine = ServerMachine(
            options: options, tree: data.tree, commandWords: AdminCommands.words, now: SystemClock.now(),
            wall: SystemClock.wallTime())
        let locks = HeldLocks(data.locks)
        let shell = ServerShell(loop: loop, configuration: configuration, machine: machine, log: log) { error in
            // Whoever waits for the end may start another server on the directory at once.
            locks.release()
            ending.finish(error)
        }
        shell.storageStatistics.replayed.record(Int64(data.recovered.replayed))
        shell.storageStatistics.loads.record(data.loadMilliseconds)
        shell.transactionsToReplay = data.recovered.replayed
        let confined = LoopConfined(shell, on: loop)
        do throws(SystemError) {
            let worker = try StorageWorker(store: data.store) { report in
                loop.submit { confined.withValue { $0.report(report) } }
            }
            let port = try onLoop(loop) { () throws(SystemError) -> Int in
                try confined.withValue { shell throws(SystemError) -> Int in
                    try shell.start(worker: worker, socket: socket)
                    return shell.port
                }
            }
            return Started(
                loop: loop, shell: confined, worker: worker, ending: ending, port: port, warnings: data.warnings)
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

    private static func listen(_ configuration: ServerConfiguration) throws(ZooKeeperError) -> Socket {
        let address = configuration.clientAddress
        let place = "\(address):\(configuration.clientPort)"
        guard let port = UInt16(exactly: configuration.clientPort) else {
            throw ZooKeeperError(.badConfiguration, message: "\(configuration.clientPort) is no port")
        }
        do {
            let addresses = try Resolver.resolve(host: address, port: port)
            guard let first = addresses.first else {
                throw ZooKeeperError(.badConfiguration, message: "\(address) has no address")
            }
            return try Socket.listen(on: first, backlog: Int32(clamping: configuration.listenBacklog ?? 1024))
        } catch let error as SystemError where error.errno == .addressInUse {
            throw ZooKeeperError(
                .badConfiguration,
                message: "\(place) is in use: another server runs there, or choose another clientPort")
        } catch let error as ZooKeeperError {
            throw error
        } catch {
            throw ZooKeeperError(.badConfiguration, message: "cannot listen on \(place): \(error)")
        }
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
        return options
    }
}

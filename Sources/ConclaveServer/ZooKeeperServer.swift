import ConclaveCore
import ConclaveNode
import ConclaveSystem
import ConclaveTransport
import ConclaveTree
import Synchronization

/// A server that speaks the ZooKeeper protocol, inside this process.
///
/// Started with one call and stopped with one; several can run in one process, each with its own event loop thread and its own
/// storage thread. It listens on loopback unless the configuration says otherwise, and keeps its data in Apache ZooKeeper 3.8's
/// file formats. Every acknowledged write is on the disk.
///
/// After an error of the disk the server ends itself, because nothing that it could promise would be true any more:
/// ``untilStopped()`` then throws. A server that is dropped without ``stop()`` goes on running.
public final class ZooKeeperServer: Sendable {
    /// Where the server keeps its data and where it listens.
    public let configuration: ServerConfiguration
    /// The port for clients: the one configured, or the one that the system chose for port 0.
    public let port: Int
    /// What operators should know about the start: repaired tails, unusual findings. Sentences.
    public let startWarnings: [String]

    let loop: EventLoop
    let shell: LoopConfined<ServerShell>
    let ending: Ending
    let gate: FaultGate
    private let worker: StorageWorker
    private let temporary: TemporaryDirectory?
    private let roles: RoleBoard

    /// Starts a server; returns when it serves clients.
    ///
    /// Reading the data takes about a second for a million nodes.
    /// - Throws: `.badConfiguration` if the address cannot be used, `.storageFailure` if the data directory is in use, cannot be
    ///   written or holds damaged data; `.systemError` if the system has no thread or descriptor left. Nothing is left
    ///   running then.
    public static func start(_ configuration: ServerConfiguration) async throws(ZooKeeperError) -> ZooKeeperServer {
        try await start(configuration, Starter.Seams(), temporary: nil)
    }

    /// Starts a server on a free port of loopback, with its data in a temporary directory that ``stop()`` removes.
    public static func startTemporary() async throws(ZooKeeperError) -> ZooKeeperServer {
        let directory: TemporaryDirectory
        do throws(SystemError) {
            directory = try TemporaryDirectory(prefix: "conclave")
        } catch {
            throw ZooKeeperError(.storageFailure, message: "cannot make a temporary directory: \(error)")
        }
        return try await start(.temporary(dataDirectory: directory.path), Starter.Seams(), temporary: directory)
    }

    /// As ``start(_:)``, with somewhere for log events to go.
    package static func start(
        _ configuration: ServerConfiguration, log: any EventSink
    ) async throws(ZooKeeperError) -> ZooKeeperServer {
        try await start(configuration, Starter.Seams(log: log), temporary: nil)
    }

    static func start(
        _ configuration: ServerConfiguration, _ seams: Starter.Seams, temporary: TemporaryDirectory? = nil
    ) async throws(ZooKeeperError) -> ZooKeeperServer {
        let result = await withCheckedContinuation { continuation in
            let starter = { @Sendable in
                continuation.resume(returning: Starter.start(configuration, seams))
            }
            // Reading the data blocks, which a task must not do.
            do throws(SystemError) {
                _ = try ThreadHandle(name: "conclave-start", starter)
            } catch {
                seams.sockets?.close()
                let failure = ZooKeeperError(.systemError, message: "cannot start a thread", underlying: error)
                continuation.resume(returning: .failure(failure))
            }
        }
        switch result {
        case .success(let started):
            return ZooKeeperServer(started, temporary: temporary)
        case .failure(let error):
            temporary?.remove()
            throw error
        }
    }

    private init(_ started: Starter.Started, temporary: TemporaryDirectory?) {
        configuration = started.configuration
        roles = started.roles
        self.temporary = temporary
        port = started.port
        startWarnings = started.warnings
        loop = started.loop
        shell = started.shell
        worker = started.worker
        ending = started.ending
        gate = started.gate
    }

    /// What clients connect to: `address:port`.
    public var connectString: String {
        let address = configuration.clientAddress
        switch address {
        case "0.0.0.0": return "127.0.0.1:\(port)"
        case "::": return "[::1]:\(port)"
        default: return address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
        }
    }

    /// What part the server plays for its clients at the moment.
    package var role: ServingRole { roles.role }

    /// Whether the server serves clients at the moment: always if it stands alone, in an ensemble while it leads or follows.
    public var isServing: Bool { roles.role.hasQuorum }

    /// Returns when the server serves clients: at once if it stands alone, in an ensemble when a leader has been found and this
    /// server is up to date. Returns too when the server has ended. Not affected by cancellation.
    public func untilServing() async { await roles.untilServing() }

    /// Stops the server: new clients are refused, what has been accepted reaches the disk, connections are closed, threads
    /// end. Sessions are kept in the data and go on after a restart. Returns when all of that has happened; may be called
    /// repeatedly. Not affected by cancellation.
    public func stop() async {
        loop.submit { [shell] in shell.withValue { $0.stop() } }
        _ = await ending.outcome()
        await release()
    }

    /// Returns when somebody has stopped the server, and throws the error that ended it if nobody has.
    ///
    /// - Throws: `.storageFailure`.
    public func untilStopped() async throws(ZooKeeperError) {
        let error = await ending.outcome()
        await release()
        if let error { throw error }
    }

    /// Lets go of threads and files of a server that has ended.
    func release() async {
        await ending.releaseOnce { [loop, worker, temporary] in
            loop.shutdown()
            await loop.ended()
            // The worker has reported its end already; this only waits for its last instructions.
            worker.join()
            temporary?.remove()
        }
    }
}

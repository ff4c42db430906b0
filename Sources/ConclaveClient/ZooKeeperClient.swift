public import ConclaveCore
import ConclaveSession

/// One session with a ZooKeeper ensemble: every operation of the protocol, watches, and how long to believe in the
/// session.
///
/// ```swift
/// let client = try await ZooKeeperClient.connect(to: "127.0.0.1:2181/shop")
/// let node = try await client.create("/orders", Array("open".utf8))
/// let (data, change) = try await client.watchData(at: "/orders")
/// let event = try await change.fired()
/// await client.close()
/// ```
///
/// The connection is kept and replaced by itself; a lost **session** is final: a new one is a new client, never silent.
///
/// - Calls go out in call order. Those that were on their way when a connection was lost throw `connectionLoss`: their
///   outcome is **unknown**. Calls made while there is no connection wait for the next one.
/// - Cancelling the calling task ends the wait with `cancelled`; if the request was sent it may still take effect.
/// - A client that is dropped without ``close()`` ends its session by itself.
/// - All clients of a process share one thread for their connections; it runs no user code.
public final class ZooKeeperClient: Sendable {
    package let shell: SessionShell

    private init(_ shell: SessionShell) { self.shell = shell }

    deinit { shell.closeInBackground() }

    /// Connects and waits for the session.
    ///
    /// - Parameter servers: `host:port,host:port/chroot`; ports default to 2181, IPv6 numbers stand in brackets, names
    ///   are resolved anew for every attempt.
    /// - Throws: `unreachable` if no server gave a session in time, `authenticationFailed`, `sessionExpired` for a
    ///   resumed session that is gone, `badArguments`, `cancelled`. Nothing is left behind then.
    public static func connect(
        to servers: String, options: Options = Options()
    ) async throws(ZooKeeperError) -> ZooKeeperClient {
        let shell = try SessionShell(
            options: try options.sessionOptions(), servers: try ConnectString(servers), loop: try ClientLoop.shared())
        shell.start()
        for await state in SessionStates(shell: shell) {
            switch state {
            case .connected, .reconnected, .readOnly: return ZooKeeperClient(shell)
            case .connecting, .suspended: continue
            case .expired, .closed, .authenticationFailed:
                throw shell.overError(attempted: "connect to \(servers)", path: nil)
            }
        }
        // The states end early only when the task is cancelled.
        shell.closeInBackground()
        throw ZooKeeperError(.cancelled, message: "connect to \(servers): the task was cancelled")
    }

    /// Ends the session in order: calls sent before are answered first, the session's ephemeral nodes are gone when it
    /// returns.
    ///
    /// Calls that were not sent yet fail with `closed`. Waits at most three seconds for a server that does not answer;
    /// the session then ends by its timeout. May be called repeatedly and from several tasks; does not end early on
    /// cancellation.
    public func close() async { await shell.close() }

    /// The session. Changes only for a client that began at a read-only server, when it finds one with a quorum.
    public var sessionID: SessionID { shell.identity.session }

    /// What another client needs to go on with this session.
    public var ticket: SessionTicket {
        let identity = shell.identity
        return SessionTicket(session: identity.session, password: identity.password)
    }

    /// After so long without a sign of life the servers end the session: what they decided.
    public var sessionTimeout: Duration { .milliseconds(shell.timeoutMilliseconds) }

    /// The part of the tree that this client sees as the whole; `/` if that is everything.
    public var chroot: String { shell.chroot.path.text }

    /// Where the session stands.
    public var state: SessionState { shell.sessionState }

    /// The states from now on, the present one first.
    public var states: SessionStates { SessionStates(shell: shell) }
}

/// Connects, runs `body` and closes the client, whatever happens.
public func withZooKeeperClient<R>(
    connectedTo servers: String, options: ZooKeeperClient.Options = .init(),
    _ body: (ZooKeeperClient) async throws -> R
) async throws -> R {
    let client = try await ZooKeeperClient.connect(to: servers, options: options)
    do {
        let result = try await body(client)
        await client.close()
        return result
    } catch {
        await client.close()
        throw error
    }
}

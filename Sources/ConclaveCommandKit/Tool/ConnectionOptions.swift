import ConclaveClient
import ConclaveCore

/// The options of every command that talks to servers.
package enum ConnectionOptions {
    package static let server = OptionSpecification(
        "--server", short: "-s", value: "HOSTS",
        help: "servers to connect to, HOST:PORT[,HOST:PORT…][/CHROOT]; else $CONCLAVE_SERVER, else \(defaultServer)")
    package static let sessionTimeout = OptionSpecification(
        "--session-timeout", value: "TIME",
        help: "session time-out to ask for, 10s; servers hold it within their limits")
    package static let connectTimeout = OptionSpecification(
        "--connect-timeout", value: "TIME", help: "how long to try to reach a server, 5s")
    package static let auth = OptionSpecification(
        "--auth", value: "SCHEME:CREDENTIAL", repeats: true,
        help: "who you are, for example digest:user:password; also $CONCLAVE_AUTH, which other users cannot see")

    package static let all = [server, sessionTimeout, connectTimeout, auth]
    package static let defaultServer = "127.0.0.1:2181"
    package static let statuses: [(status: Int32, meaning: String)] = [
        (ExitCode.unreachable, "no server could be reached, or the connection was lost")
    ]

    /// The servers that the command line, the environment or the default names.
    package static func servers(_ arguments: Arguments, _ context: ToolContext) -> String {
        arguments.text(server) ?? context.environment["CONCLAVE_SERVER"] ?? defaultServer
    }

    package static func options(
        _ arguments: Arguments, _ context: ToolContext
    ) throws(UsageError) -> ZooKeeperClient.Options {
        var options = ZooKeeperClient.Options()
        options.sessionTimeout = try arguments.duration(sessionTimeout) ?? .seconds(10)
        options.connectTimeout = try arguments.duration(connectTimeout) ?? .seconds(5)
        let credentials = (context.environment["CONCLAVE_AUTH"].map { [$0] } ?? []) + arguments.texts(auth)
        for text in credentials {
            guard let colon = text.firstIndex(of: ":") else {
                // The value may be a password that somebody typed without its scheme.
                throw UsageError("\(auth.name) must look like SCHEME:CREDENTIAL")
            }
            let secret = Array(text[text.index(after: colon)...].utf8)
            options.credentials.append(Credential(scheme: String(text[..<colon]), secret: secret))
        }
        return options
    }

    /// Connects, runs the body and closes the session, whatever happens.
    package static func withClient<R: Sendable>(
        _ arguments: Arguments, _ context: ToolContext, _ body: (ZooKeeperClient) async throws -> R
    ) async throws -> R {
        let options = try options(arguments, context)
        return try await withZooKeeperClient(connectedTo: servers(arguments, context), options: options, body)
    }
}

import ConclaveCore
import ConclaveServer
import ConclaveSystem

/// `conclave server`: a server in the foreground.
package enum ServerTool: ToolCommand {
    static let dataDirectory = OptionSpecification(
        "--data-dir", value: "DIRECTORY", help: "where the data is kept; made if it is missing")
    static let clientPort = OptionSpecification(
        "--client-port", value: "PORT", help: "the port for clients, 2181; 0 picks a free one")
    static let listen = OptionSpecification(
        "--listen", value: "ADDRESS[:PORT]", help: "the address for clients, 127.0.0.1; 0.0.0.0 or :: for all")

    static let verbose = OptionSpecification("--verbose", short: "-v", help: "tell more about what happens")

    package static let specification = CommandSpecification(
        "server", summary: "run a server in the foreground", usage: "CONFIG | --data-dir DIRECTORY [OPTIONS]",
        details: """
            CONFIG is a file with the keys of Apache ZooKeeper's zoo.cfg; keys that have no effect are reported. The \
            data directory may be one that Apache ZooKeeper 3.8 wrote, and the other way round. Also accepted, as \
            Apache's server does: PORT DIRECTORY [TICK-TIME [CONNECTIONS-PER-ADDRESS]].

            A file that lists several servers (server.N) runs a member of an ensemble; the file "myid" in the data \
            directory holds the N of this one.

            Prints "serving clients on HOST:PORT" when it is ready. SIGTERM and Ctrl-C stop it cleanly. It listens on \
            the loopback address unless clientPortAddress, the list of servers or --listen says otherwise.
            """,
        options: [dataDirectory, clientPort, listen, verbose], arguments: 0...4,
        statuses: [(ExitCode.failed, "bad configuration, port in use, data directory damaged, in use or not writable")])

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        FreedMemory.keepSome()
        let configuration = try configuration(arguments, context)
        let sink = ConsoleEventSink(console: context.console, level: arguments.has(verbose) ? .debug : .info)
        let server = try await ZooKeeperServer.start(configuration, log: sink)
        let announcement = Task {
            await server.untilServing()
            if server.isServing { context.console.line("serving clients on \(server.connectString)") }
        }
        defer { announcement.cancel() }
        // A server is meant to be stopped by a signal: that is its regular end, and no failure.
        try await context.interrupts.handled(by: { _ in Task { await server.stop() } }) {
            try await server.untilStopped()
        }
        return ExitCode.success
    }

    /// The configuration that the command line asks for; warnings go to the error output.
    package static func configuration(
        _ arguments: Arguments, _ context: ToolContext
    ) throws -> ServerConfiguration {
        var configuration = try base(arguments, context)
        let port = try arguments.integer(clientPort, in: 0...65_535)
        if let port { configuration.clientPort = port }
        guard let text = arguments.text(listen) else { return configuration }
        let (address, portText) = split(text)
        configuration.clientAddress = address
        guard let portText else { return configuration }
        guard port == nil else { throw UsageError("the port is in both \(listen.name) and \(clientPort.name)") }
        guard let number = Int(portText), 0...65_535 ~= number else {
            throw UsageError("\(listen.name): \"\(portText)\" is no port: a number from 0 to 65535")
        }
        configuration.clientPort = number
        return configuration
    }

    /// Takes an address apart: `HOST:PORT` and `[V6]:PORT` have a port, an address with several colons is one of IPv6.
    private static func split(_ text: String) -> (address: String, port: String?) {
        if text.hasPrefix("["), let end = text.lastIndex(of: "]") {
            let rest = text[text.index(after: end)...]
            return (String(text[..<end].dropFirst()), rest.hasPrefix(":") ? String(rest.dropFirst()) : nil)
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count == 2 ? (String(parts[0]), String(parts[1])) : (text, nil)
    }

    private static func base(_ arguments: Arguments, _ context: ToolContext) throws -> ServerConfiguration {
        if let directory = arguments.text(dataDirectory) {
            guard arguments.positional.isEmpty else {
                throw UsageError("give either a configuration file or --data-dir, not both")
            }
            return ServerConfiguration(dataDirectory: directory)
        }
        guard let file = arguments.positional.first else {
            throw UsageError("a configuration file or --data-dir is missing")
        }
        if arguments.positional.count > 1 { return try ServerConfiguration.parse(arguments: arguments.positional) }
        let (configuration, warnings) = try ServerConfiguration.load(file: file)
        for warning in warnings { context.console.errorLine(context.console.errorStyle.yellow("warning: ") + warning) }
        return configuration
    }
}

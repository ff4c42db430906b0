import BenchmarkKit
import ConclaveCore
import ConclaveSystem
import Foundation

/// `conclave-load`: drives any server that speaks ZooKeeper's client protocol.
@main
enum LoadTool {
    static let usage = """
        Usage: conclave-load run WORKLOAD --server HOST:PORT [--pid PID] [--label NAME] [--seconds S] [--warm-up S]
                         [--rate N]
               conclave-load fill NODES --server HOST:PORT [--pid PID] [--label NAME]
               conclave-load start NAME --server HOST:PORT [--label NAME] -- COMMAND …
               conclave-load table FILE [--base LABEL] [--json FILE]

        Each run prints one line of JSON; `table` shows the medians of such lines. With the process id of the server, its
        processor time per operation and its resident memory are measured too. With --rate, N requests a second are sent whether
        or not earlier ones are answered, and latency counts from when each was due. Ends with status 1 if an operation failed.
        Workloads:

        """

    static func main() {
        do {
            try run(Array(CommandLine.arguments.dropFirst()))
        } catch {
            FileHandle.standardError.write(Data("conclave-load: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run(_ arguments: [String]) throws {
        let arguments = try LoadArguments(arguments)
        switch arguments.positional.first {
        case "run":
            let name = try arguments.second("a workload")
            guard let workload = Catalogue.all.first(where: { $0.name == name }) else {
                throw LoadError("no workload named \(name)")
            }
            let measurement = try workload.run(try arguments.engine())
            let all = measurement.histogram.count + measurement.failures.count
            if let problem = measurement.failures.text(of: all) { throw LoadError("\(name): \(problem)") }
            try ResultLine(server: arguments.label, workload: name, values: measurement.values).print()
        case "fill":
            let text = try arguments.second("a number of nodes")
            guard let nodes = Int(text), nodes >= 0 else { throw LoadError("\(text) is no number of nodes") }
            let measurement = try Fill(engine: try arguments.engine(), nodes: nodes).run()
            try ResultLine(server: arguments.label, workload: "fill-\(nodes)", values: measurement.values).print()
        case "start":
            guard !arguments.command.isEmpty else { throw LoadError("start needs -- COMMAND …") }
            let name = try arguments.second("a name for the result")
            let values = try StartUp(address: try arguments.address(), command: arguments.command).run()
            try ResultLine(server: arguments.label, workload: name, values: values).print()
        case "table":
            let lines = try ResultLine.read(try arguments.second("a file of results"))
            let table = ResultTable(lines: lines, base: arguments.options["--base"] ?? "apache")
            if let path = arguments.options["--json"] { try table.writeJSON(to: path) }
            print(table.text())
        default:
            print(usage + Catalogue.all.map { "  \($0.name)\t\($0.text)" }.joined(separator: "\n"))
            if !["--help", "-h", "help"].contains(arguments.positional.first) { exit(2) }
        }
    }
}

/// The words of the command line, taken apart.
struct LoadArguments {
    private(set) var positional: [String] = []
    private(set) var options: [String: String] = [:]
    private(set) var command: [String] = []

    private static let known = ["--server", "--pid", "--label", "--seconds", "--warm-up", "--rate", "--base", "--json"]

    init(_ words: [String]) throws {
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--" {
                command = Array(rest)
                return
            }
            guard word.hasPrefix("--"), word != "--help" else {
                positional.append(word)
                continue
            }
            guard Self.known.contains(word) else { throw LoadError("unknown option \(word)") }
            guard let value = rest.popFirst() else { throw LoadError("\(word) needs a value") }
            options[word] = value
        }
    }

    var label: String { options["--label"] ?? "server" }

    func second(_ what: String) throws -> String {
        guard positional.count == 2 else { throw LoadError("\(positional.first ?? "") needs \(what)") }
        return positional[1]
    }

    func address() throws -> SocketAddress {
        guard let text = options["--server"], let address = SocketAddress(text) else {
            throw LoadError("--server needs HOST:PORT with a numeric host")
        }
        return address
    }

    func engine() throws -> Engine {
        var server: ServerProcess?
        if let text = options["--pid"] {
            guard let pid = Int32(text) else { throw LoadError("--pid needs a number") }
            server = ServerProcess(pid: pid)
            guard server?.processorSeconds() != nil else { throw LoadError("there is no process \(pid)") }
        }
        return Engine(
            address: try address(), server: server, warmUpMilliseconds: try milliseconds("--warm-up", 1),
            measuredMilliseconds: try milliseconds("--seconds", 3), rate: try rate())
    }

    private func rate() throws -> Double? {
        guard let text = options["--rate"] else { return nil }
        guard let rate = Double(text), rate >= 1, rate <= 10_000_000 else {
            throw LoadError("--rate needs a number of requests a second")
        }
        return rate
    }

    private func milliseconds(_ name: String, _ fallback: Double) throws -> Int64 {
        guard let text = options[name] else { return Int64(fallback * 1000) }
        guard let seconds = Double(text), seconds >= 0, seconds < 86_400 else {
            throw LoadError("\(name) needs a number of seconds")
        }
        return Int64(seconds * 1000)
    }
}

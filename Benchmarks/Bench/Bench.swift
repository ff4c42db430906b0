import BenchmarkKit
import ConclaveCommandKit
import Foundation

/// `conclave-bench`: the benchmark suite.
@main
struct Bench {
    static func main() async {
        let words = Array(CommandLine.arguments.dropFirst())
        // The servers that are measured are this program again: one build measures itself.
        if words.first == ServerGroup.serverWord || words.first == GuardedExec.name { await ToolProcess.run() }
        Remote.clearAsAsked(words)
        let arguments: BenchArguments
        do {
            arguments = try BenchArguments(words)
        } catch {
            end(2, "\(error); conclave-bench --help tells what is known")
        }
        if arguments.wantsHelp { return print(BenchArguments.help) }
        if arguments.wantsList {
            for one in BenchCase.all(arguments) { print("\(one.name)\t\(one.text)") }
            return
        }
        do {
            try check(arguments)
        } catch {
            end(2, "\(error)")
        }
        do {
            exit(try await run(arguments))
        } catch {
            end(1, "\(error)")
        }
    }

    private static func end(_ status: Int32, _ reason: String) -> Never {
        Progress.end()
        FileHandle.standardError.write(Data("conclave-bench: \(reason)\n".utf8))
        exit(status)
    }

    /// What can be known before anything is started.
    private static func check(_ arguments: BenchArguments) throws {
        if arguments.withApache, let missing = ServerGroup.missingForApache { throw LoadError(missing) }
        if let path = arguments.comparedWith { _ = try Results.read(path) }
        if BenchCase.all(arguments).isEmpty {
            throw LoadError("no case begins with \(arguments.names.joined(separator: ", ")); --list names them")
        }
        // Before minutes of measuring, not behind them; what the system says of it helps nobody.
        let made: ()? = try? FileManager.default.createDirectory(
            atPath: arguments.output, withIntermediateDirectories: true)
        guard made != nil, FileManager.default.isWritableFile(atPath: arguments.output) else {
            throw LoadError("--output \(arguments.output): no folder there can be written to")
        }
        if let hosts = arguments.hosts { try Remote.probe(hosts) }
    }

    private static func run(_ arguments: BenchArguments) async throws -> Int32 {
        let before = try arguments.comparedWith.map { try Results.read($0) }
        let cases = BenchCase.all(arguments)
        let results = try await Measuring(arguments, cases).run()
        print(ResultText.table(results))
        let comparison = before.map { Comparison(before: $0, now: results) }
        if let comparison { print(comparison.text) }
        try results.write(to: arguments.output + "/results.json")
        try Report(results, comparison).html.write(
            toFile: arguments.output + "/report.html", atomically: true, encoding: .utf8)
        print("\n\(arguments.output)/results.json, \(arguments.output)/report.html")
        let failed = results.figures.filter { !$0.problems.isEmpty }.count
        if failed > 0 { print("\(failed) of \(results.figures.count) figures are not sound: operations failed") }
        return failed == 0 ? 0 : 1
    }
}

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
        let arguments: BenchArguments
        do {
            arguments = try BenchArguments(words)
        } catch {
            FileHandle.standardError.write(Data("conclave-bench: \(error)\n\n\(BenchArguments.help)\n".utf8))
            exit(2)
        }
        if arguments.wantsHelp { return print(BenchArguments.help) }
        do {
            exit(try await run(arguments))
        } catch {
            Progress.end()
            FileHandle.standardError.write(Data("conclave-bench: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run(_ arguments: BenchArguments) async throws -> Int32 {
        let before = try arguments.comparedWith.map { try Results.read($0) }
        let cases = BenchCase.all(arguments)
        guard !cases.isEmpty else { throw LoadError("no case begins with \(arguments.names.joined(separator: ", "))") }
        let results = try await Measuring(arguments, cases).run()
        print(ResultText.table(results))
        if let before { print(Comparison(before: before, now: results).text) }
        try FileManager.default.createDirectory(atPath: arguments.output, withIntermediateDirectories: true)
        try results.write(to: arguments.output + "/results.json")
        try Report(results).html.write(toFile: arguments.output + "/report.html", atomically: true, encoding: .utf8)
        print("\n\(arguments.output)/results.json, \(arguments.output)/report.html")
        return results.figures.allSatisfy(\.problems.isEmpty) ? 0 : 1
    }
}

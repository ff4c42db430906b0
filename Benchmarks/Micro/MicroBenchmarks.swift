import BenchmarkKit
import Foundation

/// Micro benchmarks: `swift run -c release MicroBenchmarks help`.
@main
enum MicroBenchmarks {
    static let usage = """
        Usage: MicroBenchmarks [times] [NAME …]     processor time and allocations of each case
               MicroBenchmarks check [NAME …]       instructions and allocations against Benchmarks/Micro/thresholds.txt
               MicroBenchmarks update               writes what is counted as new limits
               MicroBenchmarks tree [NODES]         a tree with many nodes (a million): memory, loading, finding, snapshots

        NAMEs choose cases, by their beginnings. Instructions are counted by valgrind; without it, and on another platform than
        the limits', only allocations are compared. Option: --thresholds FILE. `check` ends with status 1 if a limit is
        passed, 2 if the command line was not understood.

        """

    static func main() {
        do {
            exit(try run(Array(CommandLine.arguments.dropFirst())))
        } catch {
            FileHandle.standardError.write(Data("MicroBenchmarks: \(error)\n".utf8))
            exit(2)
        }
    }

    private static func run(_ words: [String]) throws -> Int32 {
        var words = words
        var file = "Benchmarks/Micro/thresholds.txt"
        if let place = words.firstIndex(of: "--thresholds") {
            guard place + 1 < words.count else { throw MicroError("--thresholds needs a file") }
            file = words[place + 1]
            words.removeSubrange(place...(place + 1))
        }
        let commands = ["times", "check", "update", "tree", "count", "help", "--help", "-h"]
        let command = words.first.flatMap { commands.contains($0) ? $0 : nil } ?? "times"
        if words.first == command { words.removeFirst() }
        switch command {
        case "help", "--help", "-h":
            print(usage + MicroCase.all.map { "  \($0.name)\t\($0.text)" }.joined(separator: "\n"))
            return 0
        case "tree":
            TreeBenchmark(count: max(1000, words.first.flatMap { Int($0) } ?? 1_000_000)).run()
            benchmarkWatches()
            return 0
        case "count":
            // What `check` starts, under valgrind where there is one: a line for each case.
            for one in try cases(words) {
                print("\(one.name) \(one.operations) \(try one.count().map { "\($0)" } ?? "-")")
            }
            return 0
        case "check": return try check(words, file)
        case "update": return try update(words, file)
        default: return try times(words)
        }
    }

    private static func cases(_ names: [String]) throws -> [MicroCase] {
        if let unknown = names.first(where: { name in !MicroCase.all.contains { $0.name.hasPrefix(name) } }) {
            throw MicroError("no case begins with \(unknown)")
        }
        return MicroCase.all.filter { one in names.isEmpty || names.contains { one.name.hasPrefix($0) } }
    }

    private static func times(_ names: [String]) throws -> Int32 {
        for one in try cases(names) {
            let allocations = try one.count().map { String(format: "%8.2f allocations", $0) } ?? ""
            let name = one.name.padding(toLength: 28, withPad: " ", startingAt: 0)
            print("\(name)\(String(format: "%10.1f ns", try one.time())) \(allocations)   \(one.text)")
        }
        return 0
    }

    private static func check(_ names: [String], _ file: String) throws -> Int32 {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw MicroError("\(file) cannot be read")
        }
        let thresholds = try MicroThresholds(text)
        let counts = try Counting.run(try cases(names))
        let judgement = thresholds.judge(counts, on: Counting.platform, isPart: !names.isEmpty)
        print("micro benchmarks: \(counts.count) cases counted")
        for note in judgement.notes { print("  note: \(note)") }
        for failure in judgement.failures { print("  passed its limit: \(failure)") }
        print(judgement.failures.isEmpty ? "  within all limits" : "  \(judgement.failures.count) failed")
        return judgement.failures.isEmpty ? 0 : 1
    }

    private static func update(_ names: [String], _ file: String) throws -> Int32 {
        guard names.isEmpty else { throw MicroError("update takes all cases") }
        let counts = try Counting.run(MicroCase.all)
        guard counts.allSatisfy({ $0.instructions != nil && $0.allocations != nil }) else {
            throw MicroError("limits need instructions and allocations: valgrind on Linux with glibc")
        }
        let thresholds = MicroThresholds(platform: Counting.platform, counts: counts)
        try thresholds.text.write(toFile: file, atomically: true, encoding: .utf8)
        print("\(file): \(counts.count) limits")
        return 0
    }
}

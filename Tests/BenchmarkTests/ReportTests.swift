import BenchmarkKit
import Foundation
import Testing

@testable import conclave_bench

@Suite("What a run tells")
struct ReportTests {
    private static func results(_ change: (inout [Figure]) -> Void = { _ in }) -> Results {
        var results = ComparisonTests.results(seed: 1)
        change(&results.figures)
        return results
    }

    @Test("A run with errors says so: in the table, at the top of the report, and in which case")
    func problems() {
        let results = Self.results { $0[3].problems = ["7 of 900 operations failed, the first with: error -4 <&>"] }
        let table = ResultText.table(results)
        #expect(table.contains("failed: set-3 at conclave: 7 of 900 operations failed, the first with: error -4 <&>"))
        let html = Report(results).html
        #expect(html.contains("Not everything went well"))
        #expect(html.contains("set-3 at Conclave: 7 of 900 operations failed, the first with: error -4 &lt;&amp;>"))
    }

    @Test("A run without errors does not speak of them")
    func sound() {
        #expect(!ResultText.table(Self.results()).contains("failed"))
        #expect(!Report(Self.results()).html.contains("Not everything went well"))
    }

    @Test("The report says where the generator took more than half of what the servers took")
    func generator() throws {
        let results = Self.results { figures in
            for (index, share) in [0.1, 0.8, 0.5].enumerated() {
                figures[index].details = ["server_cpu_us": [10], "generator_cpu_us": [10 * share]]
            }
        }
        let share = try #require(GeneratorShare(results))
        #expect(share.count == 3)
        #expect(share.above == ["set-1 (conclave)"])
        #expect(
            share.text
                == "at most 80% of the servers' processor time, in set-1 (conclave); more than half in 1 of 3 cases: set-1 (conclave)"
        )
        #expect(GeneratorShare(Self.results()) == nil)
    }

    @Test("What has changed stands in the report")
    func comparison() {
        let now = ComparisonTests.results(seed: 2, factor: 1.5)
        let html = Report(now, Comparison(before: Self.results(), now: now)).html
        #expect(html.contains("40 cases: 0 better, 40 worse"))
        #expect(html.contains("<li class='worse'>worse: set-1 (conclave)"))
    }

    @Test("Charts are drawn for rates, shapes, failures and recipes, each moment marked")
    func charts() {
        let results = Self.results { figures in
            func add(_ name: String, _ section: String, _ value: Double, _ details: [String: [Double]] = [:]) {
                var figure = Figure(
                    name: name, section: section, text: name, subject: "conclave", unit: "/s", moreIsBetter: true)
                figure.values = [value]
                figure.details = details
                figures.append(figure)
            }
            for rate in [1_000, 50_000] {
                add(
                    "set-rate-\(rate)", "Fixed arrival rates", 90,
                    ["p50_us": [90], "p99_us": [900], "per_second": [min(Double(rate), 30_000)]])
            }
            for bytes in [0, 1_024] { add("set-size-\(bytes)", "Sizes", 1_000) }
            add("leader-stopped", "Failures", 900)
            figures[figures.count - 1].timeline = .init(
                sliceMilliseconds: 10, failureAtMilliseconds: 20, returnAtMilliseconds: 60,
                counts: [5, 5, 0, 0, 0, 5, 5])
        }
        let html = Report(results).html
        #expect(html.contains("Latency over the arrival rate"))
        #expect(html.contains("Conclave does not keep up with 50,000 a second: 30,000 were answered."))
        #expect(html.contains("Size of the value"))
        #expect(html.contains(">stands still</text>") && html.contains(">goes on</text>"))
    }

    @Test("Results written are results read, and those of older versions still are")
    func roundTrip() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "benchmark-tests-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "results.json").path()
        try Self.results().write(to: path)
        #expect(try Results.read(path).figures.map(\.values) == Self.results().figures.map(\.values))
        try "{}".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: LoadError.self) { try Results.read(path) }
        #expect(throws: LoadError.self) { try Results.read(path + "-missing") }
    }

    @Test("Space that a log has reserved and not used does not count", arguments: [0, 1, 3_000_000])
    func logVolume(used: Int) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "benchmark-tests-\(UUID())").path()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var bytes = Data(count: 4_194_304)
        if used > 0 { bytes[used - 1] = 66 }
        try bytes.write(to: URL(filePath: folder + "/log.1"))
        try Data(repeating: 1, count: 99).write(to: URL(filePath: folder + "/snapshot.0"))
        #expect(try LogVolume.bytes(in: folder) == used)
    }
}

import ConclaveCore
import Testing

@testable import conclave_bench

@Suite("Two runs compared")
struct ComparisonTests {
    /// A run of forty cases whose repetitions scatter by a few per cent, from a seed.
    static func results(
        seed: UInt64, factor: Double = 1, of slowed: String = "", repetitions: Int = 3, disk: Double = 90
    ) -> Results {
        var random = SeededRandom(seed: seed)
        let figures = (0..<40).map { number in
            let name = number % 2 == 0 ? "get-\(number)" : "set-\(number)"
            let isTime = number % 5 == 0
            let base = 1_000.0 * Double(number + 1)
            var figure = Figure(
                name: name, section: "Operations", text: "", subject: "conclave", unit: isTime ? "µs" : "/s",
                moreIsBetter: !isTime)
            figure.values = (0..<repetitions).map { _ in
                let scatter = 0.95 + Double(random.next() % 1_000) / 10_000
                let slower = name.hasPrefix(slowed) ? factor : 1
                return base * scatter * (isTime ? slower : 1 / slower)
            }
            return figure
        }
        return Results(
            date: "", commit: "", swift: "",
            machine: .init(
                processor: "", processors: 2, memoryMB: 1, system: "", syncMicroseconds: disk,
                pingPongMicroseconds: 17),
            settings: .init(servers: 3, observers: 0, seconds: 1.5, repetitions: repetitions), figures: figures)
    }

    @Test("Two runs of the same program are no change", arguments: 1...20)
    func same(seed: UInt64) {
        let comparison = Comparison(before: Self.results(seed: seed), now: Self.results(seed: seed + 100))
        #expect(comparison.changes.count == 40)
        #expect(comparison.changed.isEmpty, "\(comparison.text)")
        #expect(comparison.text.contains("40 cases: no change"))
    }

    @Test("A program that was made slower is slower, in every case and by how much", arguments: 1...20)
    func slower(seed: UInt64) {
        let comparison = Comparison(before: Self.results(seed: seed), now: Self.results(seed: seed + 100, factor: 1.4))
        #expect(comparison.changed.count == 40)
        #expect(comparison.changed.allSatisfy { $0.verdict == .slower && $0.timesNoise > 1 })
        #expect(abs(comparison.together - 1 / 1.4) < 0.02)
        #expect(comparison.text.contains("0 better, 40 worse"))
    }

    @Test("Only what was made slower is said to be, and the other way round it is better")
    func part() {
        let (before, now) = (Self.results(seed: 1), Self.results(seed: 2, factor: 1.5, of: "get-1"))
        let slowed = now.figures.map(\.name).filter { $0.hasPrefix("get-1") }
        let names = slowed.map { "\($0) (conclave)" }.sorted()
        let worse = Comparison(before: before, now: now).changed
        #expect(worse.map(\.name).sorted() == names)
        #expect(worse.allSatisfy { $0.verdict == .slower })
        let better = Comparison(before: now, now: before).changed
        #expect(better.map(\.name).sorted() == names)
        #expect(better.allSatisfy { $0.verdict == .faster })
    }

    @Test("A slower disk excuses slower writes and no slower reads")
    func machine() {
        let now = Self.results(seed: 2, factor: 1.4, disk: 180)
        let changed = Comparison(before: Self.results(seed: 1), now: now).changed
        #expect(changed.count == 20)
        #expect(changed.allSatisfy { $0.name.hasPrefix("get-") })
    }

    @Test("With a single repetition a quarter is no change, a half is")
    func single() {
        func compare(_ factor: Double) -> Int {
            Comparison(
                before: Self.results(seed: 1, repetitions: 1),
                now: Self.results(seed: 2, factor: factor, repetitions: 1)
            ).changed.count
        }
        #expect(compare(1.15) == 0)
        #expect(compare(1.6) == 40)
    }

    @Test("Repetitions that overlap are no change, however far the medians are apart")
    func overlap() {
        var (before, now) = (Self.results(seed: 1), Self.results(seed: 2))
        before.figures[1].values = [100, 200, 210]
        now.figures[1].values = [90, 95, 110]
        #expect(Comparison(before: before, now: now).changed.isEmpty)
    }

    @Test("A case in which operations failed is not compared, and neither is one that is not there")
    func failed() {
        var (before, now) = (Self.results(seed: 1), Self.results(seed: 2))
        now.figures[3].problems = ["1 of 10 operations failed"]
        now.figures[3].values = [1, 1, 1]
        before.figures.removeLast()
        let comparison = Comparison(before: before, now: now)
        #expect(comparison.changed.isEmpty)
        #expect(comparison.missing == ["set-3 (conclave)", "set-39 (conclave)"])
    }
}

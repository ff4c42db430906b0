import Testing

@testable import BenchmarkKit

@Suite("Limits of the micro benchmarks")
struct MicroThresholdsTests {
    static let platform = "x86_64-Linux"

    static func thresholds() throws -> MicroThresholds {
        try MicroThresholds("# limits\nplatform x86_64-Linux\nget   300     1.00\nset  2000    10.50\n")
    }

    static func counts(get: Double? = 290, set: Double? = 1_900, allocations: Double? = 0.9) -> [MicroCounts] {
        [
            MicroCounts(name: "get", instructions: get, allocations: allocations),
            MicroCounts(name: "set", instructions: set, allocations: 10),
        ]
    }

    @Test("At the limit nothing fails, one instruction above it something does")
    func limit() throws {
        let thresholds = try Self.thresholds()
        #expect(thresholds.judge(Self.counts(get: 300), on: Self.platform) == .init())
        let failures = thresholds.judge(Self.counts(get: 301), on: Self.platform).failures
        #expect(failures == ["get: 301.00 instructions, the limit is 300.00, 0% too many"])
    }

    @Test("One allocation more fails, also on another platform, where instructions are not compared")
    func allocations() throws {
        let judgement = try Self.thresholds().judge(Self.counts(get: 9_000, allocations: 2), on: "arm64-Linux")
        #expect(judgement.failures == ["get: 2.00 allocations, the limit is 1.00, 100% too many"])
        #expect(judgement.notes == ["the limits are for x86_64-Linux: instructions were not compared"])
    }

    @Test("What cannot be counted is said and not compared")
    func uncounted() throws {
        let judgement = try Self.thresholds().judge(
            Self.counts(get: nil, set: nil, allocations: nil), on: Self.platform)
        #expect(judgement.failures.isEmpty)
        #expect(
            judgement.notes == [
                "instructions were not counted and not compared",
                "allocations cannot be counted here and were not compared",
            ])
    }

    @Test("Cases without limits and limits without cases fail, the latter not where only a part was counted")
    func strangers() throws {
        let thresholds = try Self.thresholds()
        let one = [MicroCounts(name: "new", instructions: 1, allocations: 0)]
        #expect(
            thresholds.judge(one, on: Self.platform).failures == [
                "new has no limit", "get has a limit and is not there", "set has a limit and is not there",
            ])
        #expect(thresholds.judge(one, on: Self.platform, isPart: true).failures == ["new has no limit"])
    }

    @Test("A count far below its limit is noted, for the limit has become worth nothing")
    func improved() throws {
        let judgement = try Self.thresholds().judge(Self.counts(get: 100), on: Self.platform)
        #expect(judgement.failures.isEmpty)
        #expect(judgement.notes == ["get: 100.00 instructions, far below the limit of 300.00: lower it"])
    }

    @Test("Limits written are limits read, a little above the counts")
    func roundTrip() throws {
        let made = MicroThresholds(platform: Self.platform, counts: Self.counts())
        #expect(try MicroThresholds(made.text) == made)
        #expect(made.limits.map(\.instructions) == [305, 1_995])
        #expect(made.judge(Self.counts(), on: Self.platform) == .init())
    }

    @Test(
        "Broken files are refused",
        arguments: [
            "get 1 2\n", "platform x\nget 1\n", "platform x\nget 1 2\nget 1 2\n", "platform x\nget one 2\n",
        ])
    func broken(text: String) {
        #expect(throws: LoadError.self) { try MicroThresholds(text) }
    }

    @Test("The sum of a callgrind file is found in either form")
    func callgrind() {
        #expect(CallgrindOutput.instructions(in: "events: Ir\nfn=(1)\n12 40\ntotals: 4711\n") == 4_711)
        #expect(CallgrindOutput.instructions(in: "summary: 12 13\n") == 12)
        #expect(CallgrindOutput.instructions(in: "fn=(1)\n") == nil)
    }
}

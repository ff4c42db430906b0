import ClusterSimulation
import ConclaveSimulator
import RecipeSimulation
import TestLanes
import Testing

/// The recipes' machines on real sessions and servers under faults, a few seeds of each kind; `simulate --recipes all`
/// runs as many as one likes.
@Suite(.aside) struct RecipeSimulationTests {
    @Test("no promise of a recipe is broken under faults", arguments: FaultProfile.all.map(\.name))
    func promises(_ name: String) throws {
        let profile = try #require(FaultProfile.named(name))
        let report = RecipeSweep.recipes(profile, safetyMilliseconds: 1_500).run(1...1)
        for failure in report.failures {
            let seed = failure.options.seed
            Issue.record(
                "\(failure.violation.map { "\($0)" } ?? ""); simulate --recipes all --replay \(seed) --profile \(name)")
        }
        // Whatever the seed has chosen, something must have come of it.
        let fruits = [
            "grants", "additions", "revisions", "snapshots", "nodes copied", "commands given", "items put", "passages",
            "gates and latches", "pictures",
        ]
        #expect(fruits.contains { report.tallies[$0, default: 0] > 0 })
    }

    @Test("holders that stall write after newer ones without a fence, and never with one")
    func stalledHolders() {
        let report = RecipeSweep.recipes(.everything, families: [.lock], safetyMilliseconds: 3_000).run(5...8)
        #expect(report.failures.isEmpty)
        #expect(report.tallies["overtaken writes", default: 0] > 0)
        #expect(report.tallies["refused uses", default: 0] > 0)
    }
}

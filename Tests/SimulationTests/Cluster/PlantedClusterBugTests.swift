import ClusterSimulation
import ConclaveSimulator
import TestLanes
import Testing

/// Mistakes planted in the real servers and clients are found: here those that show within a seed or two; the table in
/// `Tests/README.md` has all, and `simulate --planted` finds each.
@Suite(.aside) struct PlantedClusterBugTests {
    private static let quick: [PlantedBug] = [
        .acknowledgesBeforeSync, .forgetsAcceptedEpoch, .forgetsCurrentEpoch, .skipsFolderSync, .goesOnAfterDiskError,
        .startsEmpty, .countsItselfAsQuorum, .commitsAtOnce, .changesProposals, .forgetsLastingWatches,
    ]

    @Test("a planted bug is found", arguments: quick.map(\.rawValue))
    func found(_ name: String) throws {
        let bug = try #require(PlantedBug(rawValue: name))
        let sweep = ClusterSweep(.everything, servers: .init(planted: bug), clients: .init(planted: bug))
        #expect(!sweep.run(1...12, stopsAtFailure: true).failures.isEmpty)
    }
}

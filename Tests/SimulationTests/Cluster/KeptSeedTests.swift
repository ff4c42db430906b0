import ClusterSimulation
import ConclaveSimulator
import TestLanes
import Testing

/// Runs in which something was found once. Each finding has a test of its own beside the code that was wrong; these lives are
/// lived again because what went wrong together once may do so again.
@Suite(.aside) struct KeptSeedTests {
    struct Kept: Sendable, CustomTestStringConvertible {
        let profile: FaultProfile
        let seed: UInt64
        let found: String

        var testDescription: String { "seed \(seed), \(profile.name): \(found)" }
    }

    static let kept = [
        Kept(profile: .crashes, seed: 358, found: "a snapshot with an end that was never committed could not be cut"),
        Kept(
            profile: .everything, seed: 251, found: "an epoch file that had just been made was taken for a damaged one"),
        Kept(profile: .crashes, seed: 2131, found: "a voter with a later promise was kept out for good"),
        Kept(profile: .network, seed: 1956, found: "a snapshot that took long ended the connection it was sent on"),
        Kept(profile: .crashes, seed: 5250, found: "a late acknowledgement stood for what had been cut off since"),
        Kept(profile: .crashes, seed: 265, found: "logs that lack what a received snapshot stands for were handed on"),
    ]

    @Test("What was found once is not found again", arguments: kept)
    func isKept(_ kept: Kept) {
        let sweep = ClusterSweep(kept.profile, servers: .init(), clients: .init())
        let report = sweep.run(seed: kept.seed)
        #expect(report.violation == nil, "\(kept.testDescription)")
        #expect(report.answeredWrites > 0)
    }
}

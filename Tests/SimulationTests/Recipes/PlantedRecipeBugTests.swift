import ConclaveSimulator
import RecipeSimulation
import TestLanes
import Testing

/// Mistakes planted around the recipes' machines are found: here those that show within a few seeds; the table in
/// `Tests/README.md` has all, and `simulate --recipes --planted` finds each.
@Suite(.aside) struct PlantedRecipeBugTests {
    private static let quick: [RecipeBug] = [
        .watchesFirst, .takesEventForGrant, .sleepsOn, .takesLeaseTooMany, .readsPastWriters, .looksAtOneLock,
        .writesBlindly, .finishesBlindly, .countsItselfTwice, .forgetsDelay, .readsWithoutWatch, .takesRepetitionForNew,
    ]

    @Test("a planted mistake is found", arguments: quick.map(\.rawValue))
    func found(_ name: String) throws {
        let bug = try #require(RecipeBug(rawValue: name))
        let sweep = RecipeSweep.recipes(.everything, families: bug.families, planted: bug, safetyMilliseconds: 3_000)
        #expect(!sweep.run(1...30, stopsAtFailure: true).failures.isEmpty)
    }
}

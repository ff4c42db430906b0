import ConclaveSimulator

/// A promise of the recipes, judged over a whole run.
protocol RecipeJudge {
    /// The promise in a few words, with its number in the safety statement.
    static var name: String { get }

    /// - Returns: what is wrong, if something is.
    static func check(_ run: RecipeCase) -> String?
}

extension RecipeClient {
    private static var judges: [any RecipeJudge.Type] {
        [
            LossOnce.self, Ownership.self, MutualExclusion.self, ArrivalOrder.self, GrowingTokens.self,
            HoldWindows.self, LockDelays.self, Leases.self, GuardedWrites.self, FencedUses.self, LowestNumber.self,
            CountedOnce.self, Followers.self, QueueOnce.self, QueueBounds.self, Gatherings.self, Openings.self,
            NoHerd.self,
            Revisions.self, Versions.self, Mirrors.self, Commands.self, Registrations.self, Assignments.self,
            NoLitter.self,
        ]
    }

    package static func judge(_ testimony: Testimony<RecipeClient>) -> Verdict {
        guard let scenario = testimony.witnesses.first?.journal.scenario else { return Verdict() }
        let run = RecipeCase(testimony, scenario)
        for judge in judges {
            if let detail = judge.check(run) { return Verdict(broken: (judge.name, detail), tallies: run.tallies) }
        }
        return Verdict(tallies: run.tallies)
    }
}

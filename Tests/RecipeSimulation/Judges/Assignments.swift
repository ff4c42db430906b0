import ConclaveCore
import Recipes

/// Every assignment of shares is made by a member whose term lasts, of the one before, and is the one that `SharePlan` gives
/// for those who were members.
///
/// So it is complete and balanced, and moves as few shares as possible. Source: DESIGN section 8, work partitioner;
/// documentation of `Partitioner`.
struct Assignments: RecipeJudge {
    static let name = "partitioner: assignments follow each other, whole, balanced and under a term"

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places where place.family == .partition {
            let nodes = PartitionNodes(at: place.path)
            let members = run.history.lives(below: nodes.members)
            let terms = run.holds.filter { $0.holding.path == nodes.assigner }
            var before = ShareAssignment(generation: 0, owners: [:])
            for write in run.history.writes where write.path == nodes.assignment {
                guard let assignment = try? ShareAssignment(configurationBytes: write.value) else {
                    return "\(write.zxid) wrote no assignment"
                }
                guard assignment.generation == before.generation + 1 else {
                    return "\(write.zxid) made generation \(assignment.generation) of \(before.generation)"
                }
                let owners = Set(assignment.owners.values).sorted()
                for owner in owners
                where !members.contains(where: { $0.created < write.zxid && RecipeHistory.name(of: $0.path) == owner })
                {
                    return "\(write.zxid) gave shares to \(owner), who has never been a member"
                }
                guard assignment.owners == SharePlan.assign(PartitionNodes.shares, to: owners, keeping: before.owners)
                else { return "\(write.zxid) made \(assignment.owners) of \(before.owners)" }
                let isUnderTerm = terms.contains { term in
                    term.session == write.session
                        && run.history.life(of: term.holding.node, created: term.holding.token)?.isThere(
                            at: write.zxid) == true
                }
                guard isUnderTerm else { return "\(write.zxid) assigned shares without a term" }
                before = assignment
            }
        }
        return nil
    }
}

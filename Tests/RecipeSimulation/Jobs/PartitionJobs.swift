import ConclaveCore
import ConclaveSimulator
import Recipes

/// Where work is partitioned: members as of a group, an election of whoever assigns, the assignment.
///
/// The shares themselves are locks, which are judged for themselves.
struct PartitionNodes {
    let members: String
    let assigner: String
    let assignment: String

    init(at path: String) {
        members = path + "/members"
        assigner = path + "/assigner"
        assignment = path + "/assignment"
    }

    /// More than there are members, so that each has one at least.
    static let shares = (0..<7).map { "p\($0)" }
}

extension RecipeClient {
    /// What whoever has been elected does for as long as it holds: the real `AssignerMachine`, if it assigns shares.
    mutating func beginDuty(_ hold: Int, _ world: inout World) {
        let holding = journal.holds[hold].holding
        let place = scenario.places.first {
            $0.family == .partition && PartitionNodes(at: $0.path).assigner == holding.path
        }
        guard let place else { return }
        let nodes = PartitionNodes(at: place.path)
        let machine = AssignerMachine(
            node: nodes.assignment, members: nodes.members, term: holding.node, shares: PartitionNodes.shares,
            settle: .milliseconds(10))
        start(StepJob(machine, session: session.session, planted: planted) { _ in .done }, .duty(hold), &world)
    }
}

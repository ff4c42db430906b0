import ClusterSimulation
import ConclaveSimulator
import RecipeSimulation
import TestLanes
import Testing

/// What recipes cost when nothing goes wrong: counted in requests and notifications, not in time.
@Suite(.aside) struct RecipeCostTests {
    private typealias Run = Simulation<NodeServer, RecipeClient>

    /// One run without faults and without anybody who gives up.
    private static func run(_ family: RecipeFamily, clients: Int, actors: Int) throws -> Run {
        var options = SimulationOptions(seed: 5)
        options.clients = clients
        // A hold that waits longer for an answer than it watches nothing would cost a request more.
        options.network.spikesPerMille = 0
        options.safetyMilliseconds = 1_000
        var scenario = Scenario(options, families: [family])
        scenario.places = [.init(family: family, name: "cost")]
        scenario.actors = actors
        scenario.restMilliseconds = 3
        scenario.holdMilliseconds = 3
        scenario.withdrawsPerMille = 0
        scenario.triesPerMille = 0
        scenario.usesPerMille = 0
        scenario.handsOverPerMille = 0
        scenario.sessionMilliseconds = nil
        var run = Run(
            options, plan: .none, servers: .init(answersAtOnce: true),
            clients: .init(families: [family], scenario: scenario))
        let report = run.run()
        try #require(report.violation == nil)
        return run
    }

    /// The requests below the place of the recipe, without those that made it, or found that the server had removed it.
    private static func requests(_ client: RecipeClient) -> Int {
        client.record.operations.count { operation in
            if case .error = operation.answer?.response { return false }
            return switch operation.request {
            case .create(let path, _, _, let isSequential): isSequential && path.hasPrefix("/recipe/cost/")
            case .delete(let path, _), .exists(let path), .get(let path), .children(let path), .sync(let path):
                path.hasPrefix("/recipe/cost")
            case .multi(let parts): !parts.isEmpty
            case .set, .check, .bundle: false
            }
        }
    }

    @Test(
        "a hold without rivals costs three requests at most, release included",
        arguments: [(RecipeFamily.lock, 3), (.election, 3), (.readWrite, 3), (.firstCome, 2)])
    func alone(_ family: RecipeFamily, _ limit: Int) throws {
        let run = try Self.run(family, clients: 1, actors: 1)
        let client = try #require(run.clients[0])
        #expect(client.grants > 15)
        // The first attempt finds no parent and asks once more.
        #expect(Self.requests(client) <= client.grants * limit + 1)
    }

    @Test("a release tells one waiter, whatever their number", arguments: [2, 16])
    func herd(_ waiters: Int) throws {
        let run = try Self.run(.lock, clients: 2, actors: waiters / 2)
        let clients = run.clients.compactMap(\.self)
        let grants = clients.reduce(0) { $0 + $1.grants }
        let told = clients.reduce(0) { sum, client in sum + client.record.watches.count { $0.firedMoment != nil } }
        #expect(grants > 15)
        #expect(told <= grants)
        #expect(told > grants / 2)
    }
}

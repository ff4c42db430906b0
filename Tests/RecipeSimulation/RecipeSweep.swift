import ClusterSimulation
import ConclaveSimulator

/// Clusters of the product with clients that use recipes, one for each seed.
package typealias RecipeSweep = SeedSweep<NodeServer, RecipeClient>

extension SeedSweep where Server == NodeServer, Client == RecipeClient {
    /// Shorter runs than those of the servers alone: what recipes do wrong they do within seconds.
    package static func recipes(
        _ profile: FaultProfile, families: [RecipeFamily] = RecipeFamily.allCases, planted: RecipeBug? = nil,
        safetyMilliseconds: Int64 = 5_000
    ) -> RecipeSweep {
        RecipeSweep(profile, servers: .init(answersAtOnce: true), clients: .init(families: families, planted: planted))
        { seed in
            shortened(.drawn(seed: seed), to: safetyMilliseconds)
        }
    }

    package static func shortened(_ options: SimulationOptions, to milliseconds: Int64 = 5_000) -> SimulationOptions {
        var options = options
        options.safetyMilliseconds = milliseconds
        return options
    }
}

import BenchmarkKit
import ConclaveClient
import Foundation

/// Recipes, as applications use them.
extension BenchCase {
    private static let quickRecipes: Set<String> = ["lock", "handoff-32", "ids", "barrier-64"]

    static var recipes: [BenchCase] {
        RecipeMeasurement.all.map { recipe in
            let isTime = recipe.unit == .milliseconds
            let name = recipe.name == "fanout-1000" ? "configuration-1000" : recipe.name
            return BenchCase(
                name: name, section: .recipes, text: recipe.text, unit: recipe.unit.rawValue, moreIsBetter: !isTime,
                isQuick: quickRecipes.contains(recipe.name)
            ) { target in
                let folder = "/conclave-bench-\(getpid())-\(name)-\(target.repetition)"
                let before = (target.group.processes?.processorSeconds(), Generator.processorSeconds())
                let figure = try await recipe.run(
                    RecipeEnvironment(
                        servers: target.group.hosts, seconds: target.arguments.measuredSeconds, folder: folder))
                var details = figure.details
                // Of the whole case, with its preparations: what share of the work the clients do.
                if let servers = before.0, let after = target.group.processes?.processorSeconds() {
                    details["servers_cpu_s"] = after - servers
                    details["clients_cpu_s"] = Generator.processorSeconds() - before.1
                }
                return Sample(figure.value, details: details)
            }
        }
    }
}

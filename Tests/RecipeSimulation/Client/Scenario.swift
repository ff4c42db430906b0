import ConclaveCore
import ConclaveSimulator
import Recipes

/// What the clients of one run do: the same for all of them, another for each seed.
package struct Scenario: Sendable {
    package var places: [Place] = []
    /// How many things a client does at a time.
    package var actors: Int
    package var restMilliseconds: Int64
    package var holdMilliseconds: Int64
    package var patienceMilliseconds: Int64
    package var withdrawsPerMille: Int64
    package var triesPerMille: Int64
    package var usesPerMille: Int64
    /// How often leaders hand over to a candidate instead of giving up.
    package var handsOverPerMille: Int64
    /// Up to when clients end their sessions; `nil`: they never do.
    package var sessionMilliseconds: Int64?

    /// Whether a node stands in a queue, in which each is waited for by the next one only.
    func isQueue(_ path: String) -> Bool {
        places.contains { $0.queues.contains(RecipeHistory.parent(of: path)) }
    }

    /// Whether a node stands in an election in which leaders hand over.
    func handsOver(_ path: String) -> Bool {
        handsOverPerMille > 0 && places.contains { $0.family == .election && $0.path == RecipeHistory.parent(of: path) }
    }

    /// - Parameter families: those to choose from.
    package init(_ options: SimulationOptions, families: [RecipeFamily]) {
        var random = SeededRandom(seed: options.seed ^ 0x7265_6369_7065_7321)
        let first = families[random.index(below: families.count)]
        let second = families[random.index(below: families.count)]
        let chosen = random.chance(perMille: 600) ? [first] : [first, second]
        for (number, family) in chosen.enumerated() {
            let limit = 1 + random.index(below: 4)
            let place = Place(family: family, name: "\(family.rawValue)\(number)", limit: limit)
            places.append(place)
            guard family == .partition else { continue }
            places.append(Place(family: .group, name: place.name + "/members", limit: limit))
            places.append(Place(family: .election, name: place.name + "/assigner"))
        }
        actors = Int(random.between(1...3))
        restMilliseconds = random.magnitude(1...500)
        holdMilliseconds = random.magnitude(2...1_000)
        patienceMilliseconds = random.magnitude(1...3_000)
        withdrawsPerMille = random.chance(perMille: 300) ? 0 : random.between(50...600)
        triesPerMille = random.chance(perMille: 500) ? 0 : random.between(50...500)
        usesPerMille = random.between(100...900)
        sessionMilliseconds = random.magnitude(1_000...60_000)
        handsOverPerMille = random.chance(perMille: 500) ? 0 : random.between(50...700)
    }
}

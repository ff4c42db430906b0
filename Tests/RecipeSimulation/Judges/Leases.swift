import ConclaveCore

/// Never are more leases of a semaphore out than there are: neither in the ensemble at any zxid, nor, by the windows of
/// those who hold them, at any moment of true time.
///
/// Source: Curator's semaphore, version 2; DESIGN section 8, the table of recipes, and S5.
struct Leases: RecipeJudge {
    static let name = "a semaphore gives out no more leases than it has"

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places where place.family == .semaphore {
            if let finding = nodes(run, place) ?? beliefs(run, place) { return finding }
        }
        return nil
    }

    private static func nodes(_ run: RecipeCase, _ place: Scenario.Place) -> String? {
        let lives = run.history.lives(below: place.path + "/leases")
        for life in lives {
            let count = lives.count { $0.isThere(at: life.created) }
            if count > place.limit { return "\(count) leases were out at \(life.created), of \(place.limit)" }
        }
        return nil
    }

    private static func beliefs(_ run: RecipeCase, _ place: Scenario.Place) -> String? {
        let stretches = run.holds(at: place).flatMap { hold in
            hold.beliefs.filter { $0.from < $0.until }.map { (belief: $0, permits: hold.holding.nodes.count) }
        }
        for stretch in stretches {
            let moment = stretch.belief.from
            let held = stretches.filter { $0.belief.from <= moment && moment < $0.belief.until }
            let count = held.reduce(0) { $0 + $1.permits }
            if count > place.limit {
                return "\(count) leases were believed in after \(moment / 1_000) µs, of \(place.limit)"
            }
        }
        return nil
    }
}

import ConclaveCore

/// Whoever believes in the end that its instance is registered is right: the node stands, and is its session's.
///
/// Of two sessions that register the same instance the later one has it and the earlier one is told; what somebody removes is
/// made again. Source: DESIGN section 8, service registration; documentation of `ServiceRegistration`.
struct Registrations: RecipeJudge {
    static let name = "services: who is said to be registered is"

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places where place.family == .services {
            let lives = run.history.lives(below: place.path)
            for (journal, isAlive) in run.journals {
                guard isAlive, let look = journal.lastLook else { continue }
                for (path, session) in journal.registrations
                where session == journal.session && RecipeHistory.parent(of: path) == place.path {
                    // Then or later: others may go on behind the last look.
                    let stands = lives.contains {
                        $0.path == path && $0.owner == journal.session && $0.deleted.map { $0 > look } ?? true
                    }
                    if !stands {
                        return "client \(journal.process) takes itself for registered as \(path) at \(look)"
                    }
                }
            }
        }
        return nil
    }
}

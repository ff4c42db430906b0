import ConclaveCore

/// Fencing tokens grow from grant to grant, among those that exclude each other.
///
/// The order of grants is that in which clients were told, whatever their clocks say. Source: DESIGN section 8, S2.
struct GrowingTokens: RecipeJudge {
    static let name = "S2: tokens grow from grant to grant"

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places where place.family.isFenced {
            var highest = TokenHeights()
            for hold in run.holds(at: place) {
                let holding = hold.holding
                if let other = highest.overtaking(holding, orEqual: true) {
                    return "\(holding.node) was granted with token \(holding.token) after one with \(other)"
                }
                highest.note(holding)
            }
        }
        return nil
    }
}

/// The highest tokens so far, of each thing that can be held.
struct TokenHeights {
    // Asked for single things only.
    private var exclusive: [String: Zxid] = [:]
    private var any: [String: Zxid] = [:]

    /// A token of what the hold excludes that is above its own, or the same.
    func overtaking(_ holding: Holding, orEqual: Bool) -> Zxid? {
        for resource in holding.resources {
            guard let highest = (holding.isShared ? exclusive : any)[resource] else { continue }
            if highest > holding.token || orEqual && highest == holding.token { return highest }
        }
        return nil
    }

    mutating func note(_ holding: Holding) {
        for resource in holding.resources {
            any[resource] = max(any[resource] ?? .zero, holding.token)
            if !holding.isShared { exclusive[resource] = max(exclusive[resource] ?? .zero, holding.token) }
        }
    }
}

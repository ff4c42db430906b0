/// A grant is given only on a node of the client's own session, which was there when it was seen.
///
/// Source: DESIGN section 8, S6; CURATOR-498 and 696 show what happens without.
struct Ownership: RecipeJudge {
    static let name = "S6: who holds owns the node"

    static func check(_ run: RecipeCase) -> String? {
        for hold in run.holds {
            let holding = hold.holding
            for node in holding.nodes {
                guard let life = run.history.life(of: node, created: holding.token) else {
                    return "\(node) with token \(holding.token) was never made"
                }
                guard life.owner == hold.session else {
                    return "session \(hold.session) held by \(node), which is of session \(life.owner)"
                }
                guard life.isThere(at: hold.seenAt) else {
                    return "\(node) held at \(hold.seenAt), where it is not"
                }
            }
        }
        return nil
    }
}

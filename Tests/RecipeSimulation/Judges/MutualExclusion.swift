import ConclaveCore

/// At no zxid do two hold that exclude each other.
///
/// A hold lasts from the state in which the client saw it to the transaction that removes its node. Source: DESIGN
/// section 8, S1 and, for readers and writers, the recipe for shared locks in ZooKeeper's documentation.
struct MutualExclusion: RecipeJudge {
    static let name = "S1: at no zxid do two hold that exclude each other"

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places {
            var open: [(hold: RecipeCase.Hold, end: Zxid)] = []
            for hold in run.holds(at: place).sorted(by: { ($0.seenAt, $0.moment) < ($1.seenAt, $1.moment) }) {
                open.removeAll { $0.end <= hold.seenAt }
                if let other = open.first(where: { $0.hold.excludes(hold) })?.hold {
                    return
                        "\(hold.holding.node) was seen to hold at \(hold.seenAt), while \(other.holding.node) still did"
                }
                open.append((hold, run.end(of: hold)))
            }
        }
        return nil
    }
}

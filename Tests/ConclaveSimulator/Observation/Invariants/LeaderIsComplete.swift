/// Whatever was ever committed is in the history of every later leader.
///
/// Source: "LeaderLogCompleteness" of the ZAB specifications; broken by ZOOKEEPER-4643, 3911, 3642.
struct LeaderIsComplete: Invariant {
    static let name = "a leader has every committed transaction"

    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String? {
        guard case .activated(let epoch) = step.observation, let place = step.place else { return nil }
        guard !view.isCommitted(place) else {
            guard place != view.committedTip else { return nil }
            return
                "the leader of epoch \(epoch) ends at \(view.tree[place].zxid), but \(view.lastCommitted) is committed"
        }
        return "the leader of epoch \(epoch) has a history that ends at \(view.tree[place].zxid), without "
            + "\(view.lastCommitted), which is committed"
    }
}

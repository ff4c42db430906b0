/// At most one server becomes the established leader of an epoch.
///
/// Source: "Leadership" of the ZAB specifications.
struct OneLeaderPerEpoch: Invariant {
    static let name = "one leader per epoch"

    /// Few in any run; searched from the end.
    private var leaders: [(epoch: Int64, server: Int)] = []

    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String? {
        guard case .activated(let epoch) = step.observation else { return nil }
        if let other = leaders.last(where: { $0.epoch == epoch }) {
            return other.server == step.server
                ? "epoch \(epoch) was begun twice" : "epoch \(epoch) already has server \(other.server) as its leader"
        }
        leaders.append((epoch, step.server))
        return nil
    }
}

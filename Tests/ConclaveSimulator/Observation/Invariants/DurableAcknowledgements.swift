/// What a server acknowledges is on its own disk.
///
/// Source: DESIGN D5; broken by ZOOKEEPER-3911, 4646.
struct DurableAcknowledgements: Invariant {
    static let name = "an acknowledgement is durable"

    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String? {
        guard case .acknowledged(let zxid) = step.observation else { return nil }
        guard let place = step.place else { return "acknowledged \(zxid), which nobody logged" }
        let durable = view.servers[step.server].durable
        return view.tree.contains(place, in: durable)
            ? nil : "acknowledged \(zxid), but the disk only holds \(view.tree[durable].zxid)"
    }
}

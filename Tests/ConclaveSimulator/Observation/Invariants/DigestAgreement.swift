/// Two servers that have applied the same transactions have the same state.
///
/// Source: the digest that Apache ZooKeeper keeps of its tree for this purpose; broken by ZOOKEEPER-4837, 5010.
struct DigestAgreement: Invariant {
    static let name = "equal histories give equal states"

    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String? {
        guard let other = step.otherDigest, let place = step.place else { return nil }
        let own: UInt64? =
            switch step.observation {
            case .serving(_, let digest), .applied(_, let digest): digest
            default: nil
            }
        return "after \(view.tree[place].zxid) the digest is \(own ?? 0) here and \(other) elsewhere"
    }
}

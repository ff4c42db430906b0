/// The epochs on a server's disk only grow, and it has adopted no history of a leader it has not accepted.
///
/// Source: quorum-protocol section 2; broken by ZOOKEEPER-1653, 2307, 4269.
struct GrowingEpochs: Invariant {
    static let name = "epochs on disk only grow"

    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String? {
        switch step.observation {
        case .acceptedEpoch(let epoch):
            return epoch < step.before.acceptedEpoch
                ? "accepts epoch \(epoch) after \(step.before.acceptedEpoch)" : nil
        case .currentEpoch(let epoch):
            if epoch < step.before.currentEpoch { return "adopts epoch \(epoch) after \(step.before.currentEpoch)" }
            return epoch > step.before.acceptedEpoch
                ? "adopts epoch \(epoch), but has accepted only \(step.before.acceptedEpoch)" : nil
        default: return nil
        }
    }
}

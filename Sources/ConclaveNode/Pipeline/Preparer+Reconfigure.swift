import ConclaveConsensus
import ConclaveCore
import ConclaveTree
import ConclaveWire

/// What a leader's preparer knows of the ensemble, to judge changes of it.
package struct EnsembleView: Equatable, Sendable {
    /// In force.
    package var configuration: EnsembleConfiguration
    /// The newest one known; another than ``configuration`` while a change is under way.
    package var lastSeen: EnsembleConfiguration
    /// Voters that are connected and up to date, this server among them.
    package var synced: [ServerID]
    /// Without it every change is refused.
    package var reconfigEnabled: Bool
    package var standaloneEnabled: Bool
}

/// Changes of the ensemble.
///
/// Source: quorum-protocol, section 11.
extension Preparer {
    static let configurationPath: NodePath = "/zookeeper/config"

    mutating func prepareReconfigure(
        _ wish: Reconfiguration, header: TransactionHeader, identities: [Identity], tree: borrowing DataTree
    ) throws(Refusal) -> (Change, Answer) {
        guard var view = ensemble, view.reconfigEnabled else { throw Refusal(.reconfigurationDisabled) }
        let changed: EnsembleConfiguration
        do throws(Reconfiguration.Refusal) {
            changed = try wish.applied(
                to: view.configuration, lastSeen: view.lastSeen, at: header.zxid,
                standaloneEnabled: view.standaloneEnabled)
            try Reconfiguration.requireQuorum(of: changed) { view.synced.contains($0) }
        } catch {
            throw Refusal(error.code)
        }
        guard var node = pending.node(at: Self.configurationPath, in: tree) else { throw Refusal(.noNode) }
        try require(.write, on: node, identities: identities)
        let text = Array(changed.text.utf8)
        node.stat.version = -1
        node.stat.mzxid = header.zxid
        node.stat.mtime = header.timeMilliseconds
        node.data = .bytes(text)
        node.zxid = header.zxid
        update(node, at: Self.configurationPath, replacing: node.digest, tree: tree)
        // Nobody may change it a second time before this one is committed.
        view.lastSeen = changed
        ensemble = view
        return (
            .reconfigure(path: Self.configurationPath, data: text, version: -1),
            .configuration(text, node.publicStat(options: options))
        )
    }
}

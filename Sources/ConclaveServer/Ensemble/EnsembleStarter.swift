import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveStorage
import ConclaveSystem
import ConclaveWire

/// What the start of a server of an ensemble needs beyond that of one that stands alone.
enum EnsembleStarter {
    /// Finds out which member of its ensemble a server is.
    /// - Returns: sentences about what is odd but can be used.
    static func identify(_ configuration: inout ServerConfiguration) throws(ZooKeeperError) -> [String] {
        guard configuration.ensemble != nil else { return [] }
        return try configuration.identify()
    }

    /// The machine of a server of an ensemble; `nil` for one that stands alone.
    static func node(
        _ configuration: ServerConfiguration, _ machine: ServerMachine, _ data: inout OpenedData
    ) throws(ZooKeeperError) -> NodeMachine? {
        guard let ensemble = configuration.ensemble, let id = ensemble.myID else { return nil }
        let epochs: StoredEpochs
        do throws(StorageError) {
            epochs = try data.store.loadEpochs()
        } catch {
            throw ZooKeeperError(
                .storageFailure, path: error.file ?? configuration.dataDirectory, message: error.description)
        }
        let options = ensemble.options(
            as: id, tickMilliseconds: configuration.tickTimeMilliseconds,
            maximumFrameBytes: configuration.maximumFrameBytes)
        return NodeMachine(
            options: options, configuration: ensemble.configuration, pending: ensemble.pending,
            role: ensemble.me?.role ?? ensemble.expectedRole ?? .participant,
            standaloneEnabled: ensemble.standaloneEnabled, server: machine,
            acceptedEpoch: epochs.accepted, currentEpoch: epochs.current,
            history: data.recent.map { Proposal($0) }, now: SystemClock.now())
    }
}

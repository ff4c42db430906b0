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
        guard let ensemble = configuration.ensemble else { return [] }
        if let id = ensemble.myID { return try configuration.identify(as: id) }
        let file = configuration.dataDirectory + "/myid"
        var store = Store(
            disk: FileDisk(), dataDirectory: configuration.dataDirectory, logDirectory: configuration.logDirectory)
        let number: Int64?
        do throws(StorageError) {
            number = try store.serverID()
        } catch {
            throw ZooKeeperError(.badConfiguration, path: file, message: error.description)
        }
        guard let number else {
            throw ZooKeeperError(
                .badConfiguration, path: file,
                message: "is missing: it must hold this server's number, the N of its line server.N")
        }
        return try configuration.identify(as: ServerID(rawValue: number))
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
            options: options, configuration: ensemble.configuration,
            role: ensemble.me?.role ?? ensemble.expectedRole ?? .participant, server: machine,
            acceptedEpoch: epochs.accepted, currentEpoch: epochs.current,
            history: data.recent.map { Proposal($0) }, now: SystemClock.now())
    }
}

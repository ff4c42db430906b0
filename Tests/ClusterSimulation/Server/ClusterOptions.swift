import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveSimulator
import ConclaveStorage

/// What the servers of one run are set to: limits so small that everything happens within seconds, different for each seed.
struct ClusterOptions: Sendable {
    static let tickMilliseconds: Int64 = 200

    let servers: Int
    let observers: Int
    let commitLogCount: Int
    let snapshotEvery: Int
    let snapshotSizeFactor: Double
    let burstBytes: Int
    let sliceBytes: Int
    let historyBytes: Int
    let batchLimit: Int
    /// How often empty containers are removed.
    let containerMilliseconds: Int64

    init(_ options: SimulationOptions) {
        servers = options.servers
        observers = options.observers
        var random = SeededRandom(seed: options.seed ^ 0x636C_7573_7465_7221)
        commitLogCount = Int(random.magnitude(2...200))
        snapshotEvery = Int(random.magnitude(8...400))
        snapshotSizeFactor = [0.33, 0.33, 0, -1][random.index(below: 4)]
        burstBytes = Int(random.magnitude(256...65_536))
        sliceBytes = Int(random.magnitude(256...8_192))
        historyBytes = Int(random.magnitude(64...65_536))
        batchLimit = Int(random.magnitude(1...200))
        containerMilliseconds = random.magnitude(200...60_000)
    }

    static func host(_ id: ServerID) -> String { "s\(id)" }

    static func index(ofHost host: String) -> Int { (Int(host.dropFirst()) ?? 1) - 1 }

    func role(of id: ServerID, _ planted: PlantedBug?) -> EnsembleMember.Role {
        if planted == .letsObserversVote { return .participant }
        return Int(id.rawValue) > servers - observers ? .observer : .participant
    }

    func configuration(seenBy id: ServerID, _ planted: PlantedBug?) -> EnsembleConfiguration {
        let members = (1...servers).map { number in
            let member = ServerID(rawValue: Int64(number))
            return EnsembleMember(
                id: member,
                addresses: [.init(host: Self.host(member), quorumPort: 2888, electionPort: 3888)],
                role: role(of: member, planted))
        }
        let voters = members.filter { $0.role == .participant }.map(\.id)
        do {
            switch planted {
            case .countsItselfAsQuorum where voters.contains(id):
                // The bug: everybody counts the own voice for more than all others.
                return try EnsembleConfiguration(
                    members: members, groups: [.init(id: 1, members: voters)], weights: [.init(server: id, weight: 100)]
                )
            case .letsObserversVote:
                // The bug: with one voter less than a majority an observer makes one.
                let weights = voters.suffix(observers).map { EnsembleConfiguration.Weight(server: $0, weight: 2) }
                return try EnsembleConfiguration(
                    members: members, groups: [.init(id: 1, members: voters)], weights: weights)
            default: return try EnsembleConfiguration(members: members)
            }
        } catch {
            preconditionFailure("the configuration of the run is wrong: \(error)")
        }
    }

    func ensemble(_ id: ServerID) -> EnsembleOptions {
        var options = EnsembleOptions(myID: id)
        options.tickMilliseconds = Self.tickMilliseconds
        options.commitLogCount = commitLogCount
        options.snapshotSizeFactor = snapshotSizeFactor
        options.learnerBurstBytes = burstBytes
        options.connectTimeoutMilliseconds = 1_000
        return options
    }

    func server(_ id: ServerID, hashSeed: UInt64) -> ServerOptions {
        var options = ServerOptions()
        options.tickMilliseconds = Self.tickMilliseconds
        options.serverID = UInt8(truncatingIfNeeded: id.rawValue)
        options.hashSeed = hashSeed
        options.containerCheckMilliseconds = containerMilliseconds
        return options
    }

    func storage(seed: UInt64) -> StorageOptions {
        var options = StorageOptions()
        options.snapshotEvery = snapshotEvery
        options.seed = seed
        options.preallocateBytes = 4_096
        return options
    }
}

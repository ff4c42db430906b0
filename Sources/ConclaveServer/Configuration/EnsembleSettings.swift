import ConclaveConsensus
import ConclaveCore

/// How a server takes part in an ensemble: who belongs to it, which of them this server is, and its limits.
///
/// Every property names the key of Apache ZooKeeper's configuration file that sets it, and its default.
package struct EnsembleSettings: Sendable {
    // MARK: Members

    /// The ensemble as the files list it; a newer one may be in the data. Keys `server.N`, `group.N`, `weight.N`.
    package var configuration: EnsembleConfiguration
    /// A change that was proposed, and perhaps committed, when the server last went down: `<file>.dynamic.next`. Always
    /// newer than ``configuration``.
    package var pending: EnsembleConfiguration?
    /// Which of the members this server is; `nil` until ``ServerConfiguration/identify(as:)``. File `myid`.
    package var myID: ServerID?
    /// What the file says about this server's role; what the list says counts. Key `peerType`, none.
    package var expectedRole: EnsembleMember.Role?
    /// Whether this server has a port for clients: neither the list nor `clientPort` has to name one.
    package var servesClients = true
    /// Whether a single voter may stand alone. Key `standaloneEnabled`, `true`.
    package var standaloneEnabled = true
    /// Whether the ensemble can be changed while it runs. Key `reconfigEnabled`, `false`.
    package var reconfigEnabled = false
    /// Whether this server serves clients itself while it leads. Key `leaderServes`, `yes`.
    package var leaderServesClients = true
    /// Whether sessions stay on the server that the client is connected to: they cost no transaction, own no ephemeral
    /// nodes and end when the client goes to another server. All servers should have the same. Key
    /// `localSessionsEnabled`, `false`.
    package var localSessionsEnabled = false
    /// Whether such a session becomes a global one when it creates an ephemeral node. Key
    /// `localSessionsUpgradingEnabled`, `false`.
    package var localSessionsUpgradingEnabled = false
    /// Whether a server that has looked for a leader for two seconds, or a tick if that is longer, lets clients read
    /// that ask for it. The word `isro` is then always answered. Key `readonlymode.enabled`, `false`; Apache's servers
    /// take it only as a property of their JVM.
    package var readOnlyModeEnabled = false

    // MARK: Limits

    /// Ticks for finding each other and catching up. Key `initLimit`, required.
    package var initLimitTicks = 0
    /// Ticks without a sign of life before a connection counts as dead. Key `syncLimit`, required.
    package var syncLimitTicks = 0
    /// Ticks that a learner tries to reach its leader; `nil` for ``initLimitTicks``. Key `connectToLearnerMasterLimit`.
    package var connectToLeaderLimitTicks: Int?
    /// What a packet between servers may have beyond the longest frame of a client, in bytes; `nil` for as much again.
    /// Key `jute.maxbuffer.extrasize`.
    package var extraPacketBytes: Int?

    // MARK: Connections between servers

    /// Whether the ports for other servers are opened on all addresses instead of the listed ones. Key
    /// `quorumListenOnAllIPs`, `false`.
    package var listensOnAllAddresses = false
    /// How long connecting to another server may take. Key `cnxTimeout`, 5000.
    package var connectTimeoutMilliseconds = 5000
    /// How long the handshake of an election connection may take; `nil` for ``syncLimitTicks``. Key
    /// `quorumCnxnTimeoutMs`.
    package var handshakeTimeoutMilliseconds: Int?
    /// Whether the system probes idle connections. Key `tcpKeepAlive`, `false`.
    package var keepsConnectionsAlive = false
    /// Whether servers have several addresses. Key `multiAddress.enabled`, `false`.
    package var multipleAddressesEnabled = false

    // MARK: Elections

    /// The wait before a vote is sent again, at first. Key `fastleader.minNotificationInterval`, 200.
    package var minimumNotificationMilliseconds = 200
    /// The longest such wait. Key `fastleader.maxNotificationInterval`, 60,000.
    package var maximumNotificationMilliseconds = 60_000
    /// How long a leader whose epoch is open waits although voters look for a leader; -1 for as long as
    /// ``initLimitTicks`` allows, as Apache's does by default. Key `leader.maxTimeToWaitForEpoch`, 1000.
    package var epochWaitMilliseconds = Int(EnsembleOptions.defaultWaitForEpochMilliseconds)

    // MARK: Catching up

    /// The wait before a learner dials its leader again. Key `leaderConnectDelayDuringRetryMs`, 100.
    package var connectRetryMilliseconds = 100
    /// Committed transactions kept in memory for learners, at least 500. Key `commitLogCount`, 500.
    package var committedLogCount = 500
    /// Logs are sent when they take no more than this share of a snapshot; 0 for always, below 0 for never. Key
    /// `snapshotSizeFactor`, 0.33.
    package var snapshotSizeFactor = 0.33
    /// Whether learners always get a snapshot. Key `forceSnapshotSync`, `false`.
    package var forcesSnapshots = false
    /// Observers that may be sent a snapshot at one time. Key `leader.maxConcurrentSnapSyncs`, 10.
    package var concurrentSnapshots = 10
    /// Observers that may be sent missing transactions at one time. Key `leader.maxConcurrentDiffSyncs`, 100.
    package var concurrentDifferences = 100

    // MARK: Origin

    /// The file that all of this came from; `nil` if it came from none, and changes are not written anywhere.
    package var files: ConfigurationFiles?
    /// Where keys stand, as `file:line`, for messages.
    var places: [String: String] = [:]
    /// The member whose line has been taken over into the rest of the configuration.
    var settledID: ServerID?
    /// Whether the configuration's port and address for clients were chosen, so that the list must not contradict them.
    var clientPortIsChosen = true
    var clientAddressIsChosen = false

    package init(configuration: EnsembleConfiguration, myID: ServerID? = nil) {
        self.configuration = configuration
        self.myID = myID
    }

    /// `file:line: ` of a key, or nothing.
    func place(of key: String) -> String { places[key].map { $0 + ": " } ?? "" }
}

extension EnsembleSettings {
    /// This server's line of the list.
    package var me: EnsembleMember? { myID.flatMap(configuration.member) }

    /// Where this server listens for other servers, hosts without brackets; empty until it is known which one it is.
    package var listeningAddresses: [EnsembleMember.Address] {
        guard let me else { return [] }
        guard listensOnAllAddresses else { return me.addresses }
        // One per pair of ports: several addresses may share them.
        var all: [EnsembleMember.Address] = []
        for address in me.addresses {
            let host = address.host.utf8.contains(UInt8(ascii: ":")) ? "::" : "0.0.0.0"
            let any = EnsembleMember.Address(
                host: host, quorumPort: address.quorumPort, electionPort: address.electionPort)
            if !all.contains(any) { all.append(any) }
        }
        return all
    }

    /// What the machines need to know.
    ///
    /// - Parameter maximumFrameBytes: the longest frame of a client, which packets between servers must be able to
    ///   carry.
    package func options(as id: ServerID, tickMilliseconds: Int, maximumFrameBytes: Int) -> EnsembleOptions {
        var options = EnsembleOptions(myID: id)
        options.tickMilliseconds = Int64(tickMilliseconds)
        options.initLimit = Int64(initLimitTicks)
        options.syncLimit = Int64(syncLimitTicks)
        options.connectToLeaderLimit = connectToLeaderLimitTicks.map { Int64($0) }
        options.reconfigEnabled = reconfigEnabled
        options.commitLogCount = committedLogCount
        options.snapshotSizeFactor = snapshotSizeFactor
        options.forceSnapshotSync = forcesSnapshots
        options.concurrentSnapshotLimit = concurrentSnapshots
        options.concurrentDifferenceLimit = concurrentDifferences
        options.electionMinimumMilliseconds = Int64(minimumNotificationMilliseconds)
        options.electionMaximumMilliseconds = Int64(maximumNotificationMilliseconds)
        options.connectTimeoutMilliseconds = Int64(connectTimeoutMilliseconds)
        options.handshakeTimeoutMilliseconds = handshakeTimeoutMilliseconds.map { Int64($0) }
        options.maximumWaitForEpochMilliseconds = Int64(epochWaitMilliseconds)
        options.connectRetryMilliseconds = Int64(connectRetryMilliseconds)
        // Both are 32-bit numbers.
        options.maximumPacketBytes = maximumFrameBytes + (extraPacketBytes ?? maximumFrameBytes)
        return options
    }
}

import ConclaveCore

/// How a server behaves: where it keeps its data, where it listens, and its limits.
///
/// Every property names the key of Apache ZooKeeper's configuration file that sets it (``parse(text:file:)``) and its
/// default. Where the default differs from Apache's, the property says so. Sizes are in bytes and times in
/// milliseconds, whatever unit the key has.
public struct ServerConfiguration: Sendable {
    // MARK: Places

    /// Where snapshots are kept. Key `dataDir`, required.
    public var dataDirectory: String
    /// Where transaction logs are kept; `nil` for the data directory. Key `dataLogDir`.
    public var separateLogDirectory: String?
    /// The port for clients; 0 picks a free one. Key `clientPort`, required in a file.
    public var clientPort: Int
    /// The address that clients connect to: a host name, an IPv4 or an IPv6 address; `0.0.0.0` and `::` stand for all
    /// of the machine's. Key `clientPortAddress`.
    ///
    /// Apache listens on all addresses by default; Conclave listens on loopback unless told otherwise.
    public var clientAddress = ServerConfiguration.loopback
    /// How many connections the system may hold that have not been accepted yet; `nil` leaves it to the server. Key
    /// `clientPortListenBacklog`, -1 for `nil`.
    public var listenBacklog: Int?

    // MARK: Time

    /// The unit of session expiry, in milliseconds, at least 1. Key `tickTime`, 3000.
    public var tickTimeMilliseconds = 3000
    /// The shortest session time-out a client gets, in milliseconds; `nil` for 2 ticks. Key `minSessionTimeout`.
    public var minimumSessionTimeoutMilliseconds: Int?
    /// The longest session time-out a client gets, in milliseconds; `nil` for 20 ticks. Key `maxSessionTimeout`.
    public var maximumSessionTimeoutMilliseconds: Int?
    /// How long a connection may stay without a session, in milliseconds. Key `nio.sessionlessCnxnTimeout`, 10,000.
    public var sessionlessTimeoutMilliseconds = 10_000

    // MARK: Limits

    /// Connections from one address; 0 for no limit. Key `maxClientCnxns`, 60.
    public var maximumConnectionsPerAddress = 60
    /// Connections in all; 0 for no limit. Key `maxCnxns`, 10,000 (Apache: no limit).
    public var maximumConnections = 10_000
    /// Sessions in all, those that are not connected at the moment included. Key `conclave.maxSessions`, 100,000.
    public var maximumSessions = 100_000
    /// Watches of one connection. Key `conclave.maxWatchesPerConnection`, 10,000.
    public var maximumWatchesPerConnection = 10_000
    /// Operations in one multi. Key `conclave.maxMultiOperations`, 10,000.
    public var maximumMultiOperations = 10_000
    /// Bytes waiting for one connection that does not read; beyond it the connection is closed. Key
    /// `conclave.maxOutputBytesPerConnection`, 4 MiB.
    public var maximumOutputBytesPerConnection = 4 << 20
    /// Requests under way in the whole server; while there are more, connections are not read. Key
    /// `globalOutstandingLimit`, 1000.
    public var outstandingRequestLimit = 1000
    /// The longest frame a client may send, in bytes. Key `jute.maxbuffer`, 1,048,575.
    public var maximumFrameBytes = 1_048_575

    // MARK: Storage

    /// Transactions between two snapshots: one is taken somewhere between half of it and all of it, at least 2. Key
    /// `snapCount`, 100,000.
    public var snapshotEvery = 100_000
    /// Bytes of log between two snapshots in the same way; `nil` for no such limit. Key `snapSizeLimitInKb`, 4 GiB; 0
    /// or less for `nil`.
    public var snapshotEveryBytes: Int64? = 4 << 30
    /// How far a log file is reserved and filled with zeros ahead, in bytes; 0 for not at all. Key `preAllocSize` (in
    /// KiB), 4 MiB (Apache: 64 MiB, which it does not fill; here syncs of filled space are cheaper, and larger steps
    /// would stall).
    public var preallocateBytes: Int64 = 4 << 20
    /// The size at which a new log file is begun, in bytes; `nil` for only at snapshots. Key `txnLogSizeLimitInKb`,
    /// `nil`.
    public var logSizeLimitBytes: Int64?
    /// How many snapshots a purge keeps, at least 3. Key `autopurge.snapRetainCount`, 3.
    public var retainedSnapshots = 3
    /// Seconds between two purges of old snapshots and logs; 0 for never. Key `autopurge.purgeInterval` (hours, or a
    /// number with `d`, `h`, `m` or `s`), 0.
    public var purgeIntervalSeconds = 0
    /// Whether writes are acknowledged only when they are on the disk. Key `forceSync`, `yes`.
    ///
    /// With `no` a crash of the machine can lose acknowledged writes.
    public var forceSync = true
    /// The most requests that share one sync. Key `maxBatchSize`, 1000.
    public var maximumBatchSize = 1000
    /// Whether log files without any snapshot are believed. Key `snapshot.trust.empty`, `false`.
    public var trustsMissingSnapshot = false
    /// Whether missing directories are made. Key `datadir.autocreate`, `true`.
    public var createsDirectories = true
    /// A sync that takes longer is reported; in milliseconds. Key `fsync.warningthresholdms`, 1000.
    public var slowSyncMilliseconds = 1000
    /// Whether a digest of the tree is kept in logs and snapshots and checked against. Key `digest.enabled`, `true`.
    public var digestEnabled = true

    // MARK: Nodes

    /// Whether nodes with a time to live can be created. Key `extendedTypesEnabled`, `false`.
    public var extendedTypesEnabled = false
    /// How often containers and nodes with a time to live are looked at, in milliseconds. Key
    /// `znode.container.checkIntervalMs`, 60,000.
    public var containerCheckIntervalMilliseconds = 60_000
    /// The most such nodes removed in a minute. Key `znode.container.maxPerMinute`, 10,000.
    public var containerMaximumPerMinute = 10_000
    /// After how long a container goes that never had a child, in milliseconds; 0 for never. Key
    /// `znode.container.maxNeverUsedIntervalMs`, 0.
    public var containerMaximumNeverUsedMilliseconds: Int64 = 0
    /// Whether hard quotas are enforced. Key `enforceQuota`, `false`.
    public var enforcesQuota = false

    // MARK: Access

    /// Whether access control lists are ignored. Key `skipACL`, `no`.
    public var skipsACL = false
    /// Whether `exists` needs READ on a node that exists, and events are kept from those who may not read the node. Key
    /// `conclave.checkReadOnExistsAndEvents`, `true`: as Apache since 3.8.4 (ZOOKEEPER-2590, CVE-2024-23944); `false`
    /// is what 3.8.0 does.
    public var checksReadOnExistsAndEvents = true
    /// Whether clients may authenticate with the scheme `digest`. Key `DigestAuthenticationProvider.enabled`, `true`.
    public var digestAuthenticationEnabled = true
    /// `user:base64(SHA-1 of user:password)` of somebody who may do everything. Key
    /// `DigestAuthenticationProvider.superDigest`, none.
    public var superDigest: String?
    /// The four-letter words that are answered. Key `4lw.commands.whitelist`: words separated by commas, or `*`; `srvr`
    /// is always among them.
    public var fourLetterWords = FourLetterWords.only([])

    // MARK: Ensemble

    /// How the server takes part in an ensemble; `nil` for a server that stands alone. Key `server.N` and many others.
    package var ensemble: EnsembleSettings?

    /// Makes a configuration with the defaults; the server listens on loopback.
    public init(dataDirectory: String, clientPort: Int = 2181) {
        self.dataDirectory = dataDirectory
        self.clientPort = clientPort
    }

    /// A configuration for tests and demonstrations: a free port on loopback, session time-outs from a fifth of a
    /// second to a minute, no limit on connections from one address.
    public static func temporary(dataDirectory: String) -> ServerConfiguration {
        var configuration = ServerConfiguration(dataDirectory: dataDirectory, clientPort: 0)
        configuration.tickTimeMilliseconds = 100
        configuration.maximumSessionTimeoutMilliseconds = 60_000
        configuration.maximumConnectionsPerAddress = 0
        configuration.preallocateBytes = 1 << 20
        configuration.fourLetterWords = .all
        return configuration
    }

    /// The address that is used where none is given.
    public static let loopback = "127.0.0.1"
}

extension ServerConfiguration {
    /// Where transaction logs are kept.
    public var logDirectory: String { separateLogDirectory ?? dataDirectory }

    /// The session time-outs that clients can get, in milliseconds; what they ask for is held within it.
    public var sessionTimeoutMilliseconds: ClosedRange<Int> {
        // A tick is at most a 32-bit number, so twenty of them cannot overflow; the wire carries 32 bits.
        let lowest = min(minimumSessionTimeoutMilliseconds ?? 2 * tickTimeMilliseconds, Int(Int32.max))
        let highest = min(maximumSessionTimeoutMilliseconds ?? 20 * tickTimeMilliseconds, Int(Int32.max))
        return lowest...max(lowest, highest)
    }
}

extension ServerConfiguration {
    /// Which four-letter words a server answers.
    public enum FourLetterWords: Hashable, Sendable {
        /// Every word that it knows.
        case all
        /// These, and `srvr`.
        case only(Set<String>)

        /// Whether a word is answered.
        public func allows(_ word: String) -> Bool {
            switch self {
            case .all: true
            case .only(let words): word == "srvr" || words.contains(word)
            }
        }
    }
}

/// Printing a configuration must not show the digest of the super user.
extension ServerConfiguration: CustomStringConvertible, CustomReflectable {
    /// Where the server keeps its data and where it listens.
    public var description: String {
        "ServerConfiguration(dataDirectory: \(dataDirectory), address: \(clientAddress):\(clientPort))"
    }

    /// Shows no more than the description.
    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

extension ConfigurationKey {
    static let int32 = Int(Int32.max)

    /// Every key with an effect of its own.
    static let all: [ConfigurationKey] = used + ofEnsembles + withoutEffect + unsupported

    private static let used: [ConfigurationKey] = [
        .init("dataDir", .text(\.dataDirectory)),
        .init("dataLogDir", .optionalText(\.separateLogDirectory)),
        .init("clientPort", .number(\.clientPort, 0...65_535, unit: "a port, 0 picks a free one")),
        .init("clientPortAddress", .text(\.clientAddress)),
        .init("clientPortListenBacklog", .optionalNumber(\.listenBacklog, unit: "connections")),
        .init("tickTime", .number(\.tickTimeMilliseconds, 1...int32, unit: "milliseconds")),
        .init("minSessionTimeout", .optionalNumber(\.minimumSessionTimeoutMilliseconds, unit: "milliseconds")),
        .init("maxSessionTimeout", .optionalNumber(\.maximumSessionTimeoutMilliseconds, unit: "milliseconds")),
        .init("nio.sessionlessCnxnTimeout", .number(\.sessionlessTimeoutMilliseconds, 1...int32, unit: "milliseconds")),
        .init("maxClientCnxns", .limit(\.maximumConnectionsPerAddress, unit: "connections")),
        .init("maxCnxns", .limit(\.maximumConnections, unit: "connections")),
        .init("conclave.maxSessions", .number(\.maximumSessions, 1...int32, unit: "sessions")),
        .init("conclave.maxWatchesPerConnection", .number(\.maximumWatchesPerConnection, 1...int32, unit: "watches")),
        .init("conclave.maxMultiOperations", .number(\.maximumMultiOperations, 1...int32, unit: "operations")),
        .init(
            "conclave.maxOutputBytesPerConnection",
            .number(\.maximumOutputBytesPerConnection, 65_536...int32, unit: "bytes")),
        .init("globalOutstandingLimit", .number(\.outstandingRequestLimit, 1...int32, unit: "requests")),
        .init("jute.maxbuffer", .number(\.maximumFrameBytes, 1024...(int32 - 1024), unit: "bytes")),
        .init("snapCount", .special(.snapshotEvery)),
        .init("snapSizeLimitInKb", .optionalKibibytes(\.snapshotEveryBytes)),
        .init("preAllocSize", .special(.preallocation)),
        .init("txnLogSizeLimitInKb", .optionalKibibytes(\.logSizeLimitBytes)),
        .init("autopurge.snapRetainCount", .special(.retainedSnapshots)),
        .init("autopurge.purgeInterval", .special(.purgeInterval)),
        .init("forceSync", .yesOrNo(\.forceSync)),
        .init("maxBatchSize", .number(\.maximumBatchSize, 1...int32, unit: "requests")),
        .init("snapshot.trust.empty", .flag(\.trustsMissingSnapshot)),
        .init("datadir.autocreate", .flag(\.createsDirectories)),
        .init("fsync.warningthresholdms", .number(\.slowSyncMilliseconds, 0...int32, unit: "milliseconds")),
        .init("digest.enabled", .flag(\.digestEnabled)),
        .init("extendedTypesEnabled", .flag(\.extendedTypesEnabled)),
        .init(
            "znode.container.checkIntervalMs",
            .number(\.containerCheckIntervalMilliseconds, 1...int32, unit: "milliseconds")),
        .init("znode.container.maxPerMinute", .number(\.containerMaximumPerMinute, 1...int32, unit: "nodes")),
        .init("znode.container.maxNeverUsedIntervalMs", .special(.neverUsedContainers)),
        .init("enforceQuota", .flag(\.enforcesQuota)),
        .init("skipACL", .yesOrNo(\.skipsACL)),
        .init("conclave.checkReadOnExistsAndEvents", .flag(\.checksReadOnExistsAndEvents)),
        .init("DigestAuthenticationProvider.enabled", .flag(\.digestAuthenticationEnabled)),
        .init("DigestAuthenticationProvider.superDigest", .special(.superDigest)),
        .init("DigestAuthenticationProvider.digestAlg", .special(.digestAlgorithm)),
        .init("4lw.commands.whitelist", .special(.words)),
    ]

    private static let withoutEffect: [ConfigurationKey] =
        [
            // These tune the inside of Apache's server.
            "nio.numSelectorThreads", "nio.numWorkerThreads", "commitProcessor.numWorkerThreads",
            "commitProcessor.maxReadBatchSize", "commitProcessor.maxCommitBatchSize", "commitProcessor.shutdownTimeout",
            "watchManagerName", "maxResponseCacheSize", "maxGetChildrenResponseCacheSize", "flushDelay",
            "maxWriteQueuePollTime", "closeSessionTxn.enabled", "jvm.pause.monitor",
            "jvm.pause.sleep.time.ms", "jvm.pause.info-threshold.ms", "jvm.pause.warn-threshold.ms",
            "request_throttle_max_requests", "request_throttle_stall_time", "request_throttle_drop_stale",
            "throttled_op_wait_time", "largeRequestThreshold", "largeRequestMaxBytes", "emulate353TTLNodes",
            "db.autocreate",
        ].map { .init($0, .ignored(because: "this server has no such setting")) }
        + [
            .init(
                "snapshot.compression.method",
                .ignored(because: "snapshots are written uncompressed (compressed ones are read)"))
        ]

    private static let unsupported: [ConfigurationKey] = [
        .init("secureClientPort", .refused(because: "this release serves no TLS port")),
        .init("secureClientPortAddress", .refused(because: "this release serves no TLS port")),
        .init("sslQuorum", .refused(because: "this release has no TLS", harmless: ["false"])),
        .init("portUnification", .refused(because: "this release has no TLS", harmless: ["false"])),
        .init("client.portUnification", .refused(because: "this release has no TLS", harmless: ["false"])),
        .init("oraclePath", .refused(because: "this release has no quorums with an oracle")),
        .init(
            "sessionRequireClientSASLAuth",
            .refused(because: "this release has no SASL, so that nobody could connect", harmless: ["false"])),
        .init(
            "enforce.auth.enabled",
            .refused(because: "this release cannot enforce authentication", harmless: ["false"])),
        .init("enforce.auth.schemes", .refused(because: "this release cannot enforce authentication")),
        .init("audit.enable", .refused(because: "this release writes no audit log", harmless: ["false"])),
    ]

    /// Keys that begin with a prefix, looked at after those with a name of their own.
    static let families: [ConfigurationKey] = [
        .init("admin.", .ignored(because: "there is no HTTP admin server")),
        .init(
            "metricsProvider.",
            .ignored(because: "there is no metrics provider; the four-letter word mntr tells them")),
        .init("connection_throttle_", .ignored(because: "this server has no such setting")),
        .init("serverCnxnFactory", .ignored(because: "this server has no such setting")),
        .init("ssl.", .ignored(because: "this release has no TLS")),
        .init("quorum.auth.", .refused(because: "this release has no SASL between servers", harmless: ["false"])),
        .init("authProvider.", .refused(because: "this release has the schemes world, auth, digest and ip")),
        .init("X509AuthenticationProvider.", .ignored(because: "this release has no TLS")),
        .init("superUser", .ignored(because: "this release has no SASL")),
        .init("letAnySaslUserDoX", .ignored(because: "this release has no SASL")),
        .init("allowSaslFailedClients", .ignored(because: "this release has no SASL")),
    ]
}

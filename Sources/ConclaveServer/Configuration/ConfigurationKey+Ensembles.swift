/// The keys that concern members of ensembles. They stand in many files of servers that stand alone, and harm nobody
/// there.
extension ConfigurationKey {
    static let ofEnsembles: [ConfigurationKey] =
        kind + limits + connections + elections + learners + observers + withoutEffectInEnsembles

    /// Whether there is an ensemble, and who belongs to it.
    private static let kind: [ConfigurationKey] = [
        .init("standaloneEnabled", .special(.standaloneEnabled)),
        .init("dynamicConfigFile", .special(.dynamicFile)),
        .init("electionAlg", .special(.electionAlgorithm)),
        member("peerType", .special(.peerType)),
        .init(
            "reconfigEnabled",
            alone: .ignored(because: "a server that stands alone cannot be reconfigured", harmless: ["false"]),
            ensemble: .flag(\.reconfigEnabled)),
        member("leaderServes", .yesOrNo(\.leaderServesClients)),
        .init(
            "localSessionsEnabled",
            alone: .refused(because: "local sessions need an ensemble", harmless: ["false"]),
            ensemble: .flag(\.localSessionsEnabled)),
        .init(
            "localSessionsUpgradingEnabled",
            alone: .refused(because: "local sessions need an ensemble", harmless: ["false"]),
            ensemble: .flag(\.localSessionsUpgradingEnabled)),
        member("readonlymode.enabled", .flag(\.readOnlyModeEnabled)),
    ]

    private static let limits: [ConfigurationKey] = [
        .init(
            "initLimit", alone: .special(.unusedLimit), ensemble: .number(\.initLimitTicks, 1...int32, unit: "ticks")),
        .init(
            "syncLimit", alone: .special(.unusedLimit), ensemble: .number(\.syncLimitTicks, 1...int32, unit: "ticks")),
        member("connectToLearnerMasterLimit", .optionalNumber(\.connectToLeaderLimitTicks, unit: "ticks")),
        member("jute.maxbuffer.extrasize", .optionalNumber(\.extraPacketBytes, unit: "bytes"), alone: noSuchSetting),
    ]

    private static let connections: [ConfigurationKey] = [
        member("quorumListenOnAllIPs", .flag(\.listensOnAllAddresses)),
        member("cnxTimeout", .number(\.connectTimeoutMilliseconds, 1...int32, unit: "milliseconds")),
        member("quorumCnxnTimeoutMs", .optionalNumber(\.handshakeTimeoutMilliseconds, unit: "milliseconds")),
        member("electionPortBindRetry", .number(\.bindTries, 0...int32, unit: "tries, 0 for ever")),
        member("tcpKeepAlive", .flag(\.keepsConnectionsAlive)),
        member("multiAddress.enabled", .flag(\.multipleAddressesEnabled)),
        member("multiAddress.reachabilityCheckEnabled", .flag(\.checksReachability)),
        member(
            "multiAddress.reachabilityCheckTimeoutMs",
            .number(\.reachabilityTimeoutMilliseconds, 1...int32, unit: "milliseconds")),
    ]

    private static let elections: [ConfigurationKey] = [
        member(
            "fastleader.minNotificationInterval",
            .number(\.minimumNotificationMilliseconds, 1...int32, unit: "milliseconds")),
        member(
            "fastleader.maxNotificationInterval",
            .number(\.maximumNotificationMilliseconds, 1...int32, unit: "milliseconds")),
        member(
            "leader.maxTimeToWaitForEpoch", .number(\.epochWaitMilliseconds, -1...int32, unit: "milliseconds, -1 off")),
    ]

    private static let learners: [ConfigurationKey] = [
        member("leaderConnectDelayDuringRetryMs", .number(\.connectRetryMilliseconds, 0...int32, unit: "milliseconds")),
        member("commitLogCount", .special(.committedLogCount)),
        member("snapshotSizeFactor", .special(.snapshotSizeFactor)),
        member("forceSnapshotSync", .flag(\.forcesSnapshots)),
        member("leader.maxConcurrentSnapSyncs", .number(\.concurrentSnapshots, 1...int32, unit: "observers")),
        member("leader.maxConcurrentDiffSyncs", .number(\.concurrentDifferences, 1...int32, unit: "observers")),
    ]

    private static let observers: [ConfigurationKey] = [
        member("syncEnabled", .flag(\.observersKeepLogs)),
        member("observer.reconnectDelayMs", .number(\.observerReconnectMilliseconds, 0...int32, unit: "milliseconds")),
        member("observer.election.DelayMs", .number(\.observerElectionMilliseconds, 0...int32, unit: "milliseconds")),
        member("observerMasterPort", .optionalNumber(\.observerMasterPort, unit: "a port")),
        member("observerMaster.sizeLimit", .number(\.observerMasterBytes, 0...int32, unit: "bytes")),
    ]

    private static let withoutEffectInEnsembles: [ConfigurationKey] = [
        "leader.closeSocketAsync", "learner.closeSocketAsync", "learner.asyncSending", "quorum.cnxn.threads.size",
        "connectionMode", "enableEagerACLCheck",
    ].map { .init($0, alone: .ignored(because: nil), ensemble: .ignored(because: noSuchSetting)) }

    private static let noSuchSetting = "this server has no such setting"

    /// A key without an effect on servers that stand alone.
    private static func member(
        _ name: String, _ effect: Effect<EnsembleSettings>, alone reason: String? = nil
    ) -> ConfigurationKey {
        .init(name, alone: .ignored(because: reason), ensemble: effect)
    }
}

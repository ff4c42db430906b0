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
        member("electionPortBindRetry", .ignored(because: "a server whose port is in use ends at once and says so")),
        member("tcpKeepAlive", .flag(\.keepsConnectionsAlive)),
        member("multiAddress.enabled", .flag(\.multipleAddressesEnabled)),
        member("multiAddress.reachabilityCheckEnabled", .ignored(because: triesInTurn, harmless: ["false"])),
        member("multiAddress.reachabilityCheckTimeoutMs", .ignored(because: triesInTurn)),
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
        member(
            "syncEnabled", .ignored(because: "observers of this release keep logs and snapshots", harmless: ["true"])),
        member("observer.reconnectDelayMs", .ignored(because: "observers do not wait", harmless: ["0"])),
        member("observer.election.DelayMs", .ignored(because: "observers do not wait", harmless: ["0"])),
        member("observerMasterPort", .ignored(because: leaderOnly, harmless: ["0", "-1"])),
        member("observerMaster.sizeLimit", .ignored(because: leaderOnly)),
    ]

    private static let triesInTurn = "the addresses of a server are tried one after the other"
    private static let leaderOnly = "observers of this release follow the leader, and followers take none"

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

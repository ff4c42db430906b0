import ConclaveConsensus
import ConclaveCore
import ConclaveServer
import Testing

@Suite("Configuration of an ensemble")
struct EnsembleTextTests {
    private func parse(_ text: String) throws -> (configuration: ServerConfiguration, warnings: [String]) {
        try ServerConfiguration.parse(text: text, file: "zoo.cfg")
    }

    private func message(_ text: String) -> String? {
        do {
            _ = try ServerConfiguration.parse(text: text, file: "zoo.cfg")
            return nil
        } catch {
            return error.code == .badConfiguration ? error.message : "another code: \(error)"
        }
    }

    private let base = "dataDir=/d\nclientPort=2181\ninitLimit=10\nsyncLimit=5\n"
    private let three = "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\n"
    private let one = ServerID(rawValue: 1)

    // MARK: Settings

    @Test("Defaults are Apache's")
    func defaults() throws {
        let (configuration, warnings) = try parse(base + three)
        #expect(warnings.isEmpty)
        let settings = try #require(configuration.ensemble)
        let text = "server.1=a:2888:3888:participant\nserver.2=b:2888:3888:participant\n"
        #expect(settings.configuration.text == text + "server.3=c:2888:3888:participant\nversion=0")
        #expect(settings.pending == nil && settings.myID == nil && settings.expectedRole == nil)
        #expect(settings.initLimitTicks == 10 && settings.syncLimitTicks == 5)
        #expect(settings.connectToLeaderLimitTicks == nil && settings.handshakeTimeoutMilliseconds == nil)
        #expect(settings.standaloneEnabled && !settings.reconfigEnabled && settings.leaderServesClients)
        #expect(!settings.localSessionsEnabled && !settings.localSessionsUpgradingEnabled)
        #expect(!settings.readOnlyModeEnabled && !settings.listensOnAllAddresses && !settings.keepsConnectionsAlive)
        #expect(settings.connectTimeoutMilliseconds == 5000)
        #expect(settings.minimumNotificationMilliseconds == 200 && settings.maximumNotificationMilliseconds == 60_000)
        #expect(settings.epochWaitMilliseconds == 1000 && settings.connectRetryMilliseconds == 100)
        #expect(settings.committedLogCount == 500 && settings.snapshotSizeFactor == 0.33 && !settings.forcesSnapshots)
        #expect(settings.concurrentSnapshots == 10 && settings.concurrentDifferences == 100)
        #expect(!settings.multipleAddressesEnabled && settings.files == nil && settings.servesClients)
    }

    @Test("Every key of ensembles sets its property, with and without the prefix of Java's properties")
    func everyKey() throws {
        let keys = [
            "peerType=OBSERVER", "standaloneEnabled=false", "reconfigEnabled=true", "leaderServes=no",
            "localSessionsEnabled=true", "localSessionsUpgradingEnabled=true", "readonlymode.enabled=true",
            "connectToLearnerMasterLimit=7", "jute.maxbuffer.extrasize=1000", "quorumListenOnAllIPs=true",
            "cnxTimeout=1", "quorumCnxnTimeoutMs=2", "tcpKeepAlive=true",
            "multiAddress.enabled=true", "fastleader.minNotificationInterval=4",
            "fastleader.maxNotificationInterval=5", "leader.maxTimeToWaitForEpoch=6",
            "leaderConnectDelayDuringRetryMs=7", "commitLogCount=800", "snapshotSizeFactor=-1",
            "forceSnapshotSync=true", "leader.maxConcurrentSnapSyncs=9", "leader.maxConcurrentDiffSyncs=10",
            "electionAlg=3",
        ]
        for prefix in ["", "zookeeper."] {
            let text = base + three + keys.map { prefix + $0 }.joined(separator: "\n")
            let (configuration, warnings) = try parse(text)
            #expect(warnings.isEmpty)
            let settings = try #require(configuration.ensemble)
            #expect(settings.expectedRole == .observer && !settings.standaloneEnabled && settings.reconfigEnabled)
            #expect(!settings.leaderServesClients && settings.localSessionsEnabled)
            #expect(settings.localSessionsUpgradingEnabled && settings.readOnlyModeEnabled)
            #expect(settings.connectToLeaderLimitTicks == 7 && settings.extraPacketBytes == 1000)
            #expect(settings.listensOnAllAddresses && settings.connectTimeoutMilliseconds == 1)
            #expect(settings.handshakeTimeoutMilliseconds == 2)
            #expect(settings.keepsConnectionsAlive && settings.multipleAddressesEnabled)
            #expect(settings.minimumNotificationMilliseconds == 4 && settings.maximumNotificationMilliseconds == 5)
            #expect(settings.epochWaitMilliseconds == 6 && settings.connectRetryMilliseconds == 7)
            #expect(settings.committedLogCount == 800 && settings.snapshotSizeFactor == -1 && settings.forcesSnapshots)
            #expect(settings.concurrentSnapshots == 9 && settings.concurrentDifferences == 10)
        }
    }

    @Test(
        "What Apache's server of an ensemble has and this one has not is said with file, line and reason",
        arguments: [
            ("syncEnabled=false", "keep logs"), ("observerMasterPort=2191", "follow the leader"),
            ("observerMaster.sizeLimit=13", "follow the leader"), ("observer.reconnectDelayMs=11", "do not wait"),
            ("observer.election.DelayMs=12", "do not wait"), ("electionPortBindRetry=0", "ends at once"),
            ("multiAddress.reachabilityCheckEnabled=true", "one after the other"),
            ("multiAddress.reachabilityCheckTimeoutMs=3", "one after the other"),
            ("leader.closeSocketAsync=true", "no such setting"), ("learner.asyncSending=true", "no such setting"),
            ("syncLimits=5", "syncLimit"), ("leaderServe=no", "leaderServes"), ("observers=3", "observers"),
        ])
    func withoutEffect(line: String, reason: String) throws {
        let warnings = try parse(base + three + line).warnings
        let key = line.prefix { $0 != "=" }
        #expect(warnings.count == 1)
        #expect(
            warnings.allSatisfy { $0.hasPrefix("zoo.cfg:8: ") && $0.contains(key) && $0.contains(reason) },
            "\(warnings)")
    }

    @Test("Of these the values that mean what this server does are passed over in silence")
    func harmless() throws {
        let keys = "syncEnabled=true\nobserver.reconnectDelayMs=0\nobserverMasterPort=-1\n"
        #expect(try parse(base + three + keys + "multiAddress.reachabilityCheckEnabled=false").warnings == [])
    }

    @Test("The settings become the options of the machines")
    func options() throws {
        let keys =
            "connectToLearnerMasterLimit=7\ncommitLogCount=800\nreconfigEnabled=true\ntickTime=100\n"
            + "quorumCnxnTimeoutMs=70\nleader.maxTimeToWaitForEpoch=80\n"
        let (configuration, _) = try parse(base + three + keys + "jute.maxbuffer=5000\njute.maxbuffer.extrasize=30")
        let settings = try #require(configuration.ensemble)
        let options = settings.options(
            as: one, tickMilliseconds: configuration.tickTimeMilliseconds,
            maximumFrameBytes: configuration.maximumFrameBytes)
        #expect(options.myID == one && options.tickMilliseconds == 100 && options.reconfigEnabled)
        #expect(options.initMilliseconds == 1000 && options.syncMilliseconds == 500)
        #expect(options.connectToLeaderMilliseconds == 700 && options.commitLogCount == 800)
        #expect(options.maximumPacketBytes == 5030 && options.handshakeTimeoutMilliseconds == 70)
        #expect(options.maximumWaitForEpochMilliseconds == 80)
    }

    @Test("A server that stands alone is bothered by none of these keys")
    func alone() throws {
        let keys =
            "initLimit=10\nsyncLimit=5\ncnxTimeout=never\npeerType=chief\nsnapshotSizeFactor=x\nreconfigEnabled=false\n"
        let (configuration, warnings) = try parse(base + keys + "server.1=h:1:2")
        #expect(configuration.ensemble == nil && warnings.count == 2)
        #expect(message(base + "localSessionsEnabled=true")?.contains("need an ensemble") == true)
        let reconfigured = try parse("dataDir=/d\nclientPort=1\nreconfigEnabled=true")
        #expect(reconfigured.warnings.map { $0.contains("cannot be reconfigured") } == [true])
    }

    @Test(
        "Bad values are refused with file, line, key, value and what is allowed",
        arguments: [
            ("initLimit=0", "from 1"), ("syncLimit=x", "ticks"), ("peerType=chief", "participant or observer"),
            ("electionAlg=2", "must be 3"), ("standaloneEnabled=maybe", "true or false"),
            ("leaderServes=sometimes", "yes or no"), ("snapshotSizeFactor=nan", "number"),
            ("snapshotSizeFactor=half", "number"), ("cnxTimeout=0", "from 1"), ("commitLogCount=many", "transactions"),
            ("fastleader.minNotificationInterval=70000", "must not exceed"), ("dynamicConfigFile=", "empty"),
            ("server.4=d:2888", "HOST:2888:3888"), ("server.4=d:2888:2888", "differ"),
            ("server.x=d:2888:3888", "whole number"), ("server.4=d:2888:3888|e:2888:3888", "multiAddress.enabled"),
            ("group.1=1:2:x", "1:2:3"), ("group.x=1:2:3", "whole number"), ("weight.1=-1", "at least 0"),
            ("group.1=1:2", "in no group"), ("group.1=1:2:3:4", "no weight"), ("weight.1=2", "in no group"),
            ("sslQuorum=true", "TLS"),
            ("quorum.auth.enableSasl=true", "SASL"), ("oraclePath=/o", "oracle"),
        ])
    func badValues(line: String, allowed: String) throws {
        let text = try #require(message(base + three + line))
        #expect(text.hasPrefix("zoo.cfg:8: ") || text.hasPrefix("zoo.cfg:5: "), "\(text)")
        #expect(text.contains(allowed), "\(text)")
    }

    @Test("What an ensemble needs is named when it is missing")
    func missing() {
        let head = "dataDir=/d\nclientPort=1\n" + three
        #expect(message(head)?.contains("initLimit is missing") == true)
        #expect(message(head + "initLimit=1")?.contains("syncLimit is missing") == true)
        #expect(message(three + "initLimit=1\nsyncLimit=1")?.contains("dataDir is missing") == true)
        #expect(message(three + "initLimit=1\nsyncLimit=1\ndataDir=/d") == nil)
    }

    // MARK: Lists

    @Test("One voter makes an ensemble only if it may not stand alone; observers alone make none")
    func kinds() throws {
        let single = base + "server.1=a:2888:3888\n"
        #expect(try parse(single).configuration.ensemble == nil)
        let (configuration, warnings) = try parse(single + "standaloneEnabled=false")
        #expect(configuration.ensemble?.configuration.voters == [one])
        #expect(warnings.map { $0.contains("a single voter") } == [true])
        let observer = "server.2=b:2888:3888:observer\n"
        #expect(message(single + observer)?.hasPrefix("zoo.cfg:6: server.2: an observer needs more voters") == true)
        let both = try parse(single + observer + "standaloneEnabled=false").configuration.ensemble
        #expect(both?.configuration.observers == [ServerID(rawValue: 2)])
        for value in ["true", "false"] {
            #expect(message(base + observer + "standaloneEnabled=\(value)")?.contains("needs voters") == true)
        }
    }

    @Test("Groups and weights make hierarchical quorums")
    func hierarchy() throws {
        let text = base + three + "group.1=1:2 : 3\nweight.3=5\nweight.1=0"
        let settings = try #require(try parse(text).configuration.ensemble)
        #expect(settings.configuration.isHierarchical)
        #expect(settings.configuration.isQuorum { $0 == ServerID(rawValue: 3) })
        #expect(settings.configuration.text.hasSuffix("group.1=1:2:3\nweight.1=0\nweight.2=1\nweight.3=5\nversion=0"))
    }

    @Test("What is odd about a list is said, with the line")
    func oddLists() throws {
        let two = "server.1=a:1:2\nserver.2=b:1:2\n"
        #expect(
            try parse(base + two).warnings == [
                "zoo.cfg:5: two voters: the ensemble stops when a server fails; three voters survive that"
            ])
        let four = try parse(base + three + "server.4=d:1:2").warnings
        #expect(four == ["zoo.cfg:5: 4 voters survive as many failures as 3 do"])
        let shared = try parse(base + two + "server.257=b:1:2:participant;5").warnings
        #expect(shared.count == 2 && shared[0] == "zoo.cfg:7: server.257 has an address of server.2")
        #expect(shared[1].contains("the ids 1 and 257 end in the same byte"))
        let again = try parse(base + three + "server.3=x:1:2")
        #expect(again.warnings == ["zoo.cfg:8: server.3 is given again; line 7 no longer counts"])
        #expect(again.configuration.ensemble?.configuration.members.map(\.addresses[0].host) == ["a", "b", "x"])
        #expect(try parse(base + three + "commitLogCount=3").warnings.map { $0.contains("raised") } == [true])
        let factor = try parse(base + three + "snapshotSizeFactor=1.5")
        #expect(factor.warnings.count == 1 && factor.configuration.ensemble?.snapshotSizeFactor == 0.33)
        let upgrading = try parse(base + three + "localSessionsUpgradingEnabled=true").warnings
        #expect(upgrading.map { $0.contains("without localSessionsEnabled") } == [true])
    }

    @Test("Several addresses of a server need the key that allows them")
    func severalAddresses() throws {
        let line = "server.4=[::1]:1:2:observer|b:3:4:observer;5\n"
        #expect(message(base + three + line)?.hasPrefix("zoo.cfg:8: server.4=") == true)
        var settings = try #require(try parse(base + three + line + "multiAddress.enabled=true").configuration.ensemble)
        settings.myID = ServerID(rawValue: 4)
        #expect(settings.listeningAddresses.map(\.host) == ["::1", "b"])
        settings.listensOnAllAddresses = true
        #expect(settings.listeningAddresses.map(\.host) == ["::", "0.0.0.0"])
        #expect(settings.listeningAddresses.map(\.electionPort) == [2, 4])
        settings.myID = one
        #expect(settings.listeningAddresses == [.init(host: "0.0.0.0", quorumPort: 2888, electionPort: 3888)])
        settings.myID = nil
        #expect(settings.listeningAddresses.isEmpty)
    }
}

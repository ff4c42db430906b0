import ConclaveCore
import ConclaveServer
import Testing

@Suite("Server configuration")
struct ConfigurationTests {
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

    private let base = "dataDir=/d\nclientPort=2181\n"

    // MARK: Syntax

    @Test("Keys end at a colon, an equals sign or a blank, whichever comes first")
    func separators() throws {
        let properties = try Properties(text: "a=1\nb : 2\nc 3\nd\t=\t4 \n  e  =  = 5\nf\n g:h=i")
        #expect(properties.entries.map(\.key) == ["a", "b", "c", "d", "e", "f", "g"])
        #expect(properties.entries.map(\.value) == ["1", "2", "3", "4", "= 5", "", "h=i"])
        #expect(properties.entries.map(\.line) == [1, 2, 3, 4, 5, 6, 7])
    }

    @Test("Comments and empty lines are skipped, and a comment is not continued")
    func comments() throws {
        let properties = try Properties(text: "# one \\\na=1\n  ! two\n\n \t\nb=2 # not a comment\r\nc=3\r# four\r\n")
        #expect(properties.entries.map(\.key) == ["a", "b", "c"])
        #expect(properties.entries[1].value == "2 # not a comment")
        #expect(properties.entries.map(\.line) == [2, 6, 7])
    }

    @Test("A backslash at the end of a line continues it, two are one of them")
    func continuation() throws {
        let properties = try Properties(text: "a = one, \\\n     two, \\\r\n\tthree\nb=x\\\\\nc=y\\")
        #expect(properties.entries.map(\.value) == ["one, two, three", "x\\", "y"])
        #expect(properties.entries.map(\.line) == [1, 4, 5])
    }

    @Test("Escapes stand for characters, in keys as well")
    func escapes() throws {
        let properties = try Properties(text: #"a\ b\=c = \u00e9\t\\x\z \uD83D\uDE00"# + "\n")
        #expect(properties.entries.map(\.key) == ["a b=c"])
        #expect(properties.entries[0].value == "\u{e9}\t\\xz \u{1F600}")
        for text in ["a=\\u12", "a=\\u12G4", "a=\\uD83Dx", "a=\\uDE00"] {
            #expect(throws: Properties.SyntaxError.self) { try Properties(text: "\n" + text) }
        }
        #expect(message("\n\na=\\u1")?.hasPrefix("zoo.cfg:3: ") == true)
    }

    @Test("Files are UTF-8, or ISO 8859-1 where they are not")
    func encodings() throws {
        #expect(try Properties(bytes: Array("a=\u{e9}".utf8)).entries[0].value == "\u{e9}")
        #expect(try Properties(bytes: Array("a=".utf8) + [0xE9]).entries[0].value == "\u{e9}")
        #expect(try Properties(text: "\u{FEFF}a=1").entries[0].key == "a")
        let parsed = try ServerConfiguration.parse(bytes: Array("dataDir=/d\nclientPort=1".utf8), file: "f")
        #expect(parsed.configuration.dataDirectory == "/d")
    }

    // MARK: Keys

    @Test("Defaults are Apache's, save that the server listens on loopback and limits its connections")
    func defaults() throws {
        let (configuration, warnings) = try parse(base)
        #expect(warnings.isEmpty)
        #expect(configuration.dataDirectory == "/d" && configuration.logDirectory == "/d")
        #expect(configuration.clientPort == 2181 && configuration.clientAddress == "127.0.0.1")
        #expect(configuration.tickTimeMilliseconds == 3000)
        #expect(configuration.sessionTimeoutMilliseconds == 6000...60_000)
        #expect(configuration.maximumConnectionsPerAddress == 60 && configuration.maximumConnections == 10_000)
        #expect(configuration.snapshotEvery == 100_000 && configuration.snapshotEveryBytes == 4 << 30)
        #expect(configuration.preallocateBytes == 4 << 20 && configuration.logSizeLimitBytes == nil)
        #expect(configuration.maximumFrameBytes == 1_048_575 && configuration.outstandingRequestLimit == 1000)
        #expect(configuration.forceSync && configuration.digestEnabled && !configuration.skipsACL)
        #expect(configuration.fourLetterWords.allows("srvr") && !configuration.fourLetterWords.allows("ruok"))
    }

    @Test("Every key sets its property")
    func everyKey() throws {
        let (configuration, warnings) = try parse(
            """
            dataDir=/d
            dataLogDir=/l
            clientPort=0
            clientPortAddress=0.0.0.0
            clientPortListenBacklog=7
            tickTime=2000
            minSessionTimeout=100
            maxSessionTimeout=200
            nio.sessionlessCnxnTimeout=11
            maxClientCnxns=0
            maxCnxns=-1
            conclave.maxSessions=1
            conclave.maxWatchesPerConnection=2
            conclave.maxMultiOperations=3
            conclave.maxOutputBytesPerConnection=65536
            globalOutstandingLimit=4
            jute.maxbuffer=4194304
            snapCount=1000
            snapSizeLimitInKb=0
            preAllocSize=-1
            txnLogSizeLimitInKb=8
            autopurge.snapRetainCount=5
            autopurge.purgeInterval=90m
            maxBatchSize=5
            snapshot.trust.empty=TRUE
            datadir.autocreate=false
            fsync.warningthresholdms=6
            digest.enabled=false
            extendedTypesEnabled=true
            znode.container.checkIntervalMs=8
            znode.container.maxPerMinute=9
            znode.container.maxNeverUsedIntervalMs=10
            zookeeper.enforceQuota=true
            DigestAuthenticationProvider.enabled=false
            zookeeper.DigestAuthenticationProvider.superDigest=super:abc=
            DigestAuthenticationProvider.digestAlg=SHA1
            4lw.commands.whitelist=stat, ruok
            initLimit=10
            syncLimit=5
            """)
        #expect(warnings.isEmpty)
        #expect(configuration.separateLogDirectory == "/l" && configuration.logDirectory == "/l")
        #expect(configuration.clientPort == 0 && configuration.clientAddress == "0.0.0.0")
        #expect(configuration.listenBacklog == 7 && configuration.tickTimeMilliseconds == 2000)
        #expect(configuration.sessionTimeoutMilliseconds == 100...200)
        #expect(configuration.sessionlessTimeoutMilliseconds == 11)
        #expect(configuration.maximumConnectionsPerAddress == 0 && configuration.maximumConnections == 0)
        #expect(configuration.maximumSessions == 1 && configuration.maximumWatchesPerConnection == 2)
        #expect(configuration.maximumMultiOperations == 3 && configuration.maximumOutputBytesPerConnection == 65_536)
        #expect(configuration.outstandingRequestLimit == 4 && configuration.maximumFrameBytes == 4 << 20)
        #expect(configuration.snapshotEvery == 1000 && configuration.snapshotEveryBytes == nil)
        #expect(configuration.preallocateBytes == 0 && configuration.logSizeLimitBytes == 8192)
        #expect(configuration.retainedSnapshots == 5 && configuration.purgeIntervalSeconds == 5400)
        #expect(configuration.maximumBatchSize == 5)
        #expect(configuration.trustsMissingSnapshot && !configuration.createsDirectories)
        #expect(configuration.slowSyncMilliseconds == 6 && !configuration.digestEnabled)
        #expect(configuration.extendedTypesEnabled && configuration.enforcesQuota)
        #expect(configuration.containerCheckIntervalMilliseconds == 8 && configuration.containerMaximumPerMinute == 9)
        #expect(configuration.containerMaximumNeverUsedMilliseconds == 10)
        #expect(!configuration.digestAuthenticationEnabled && configuration.superDigest == "super:abc=")
        #expect(configuration.fourLetterWords == .only(["stat", "ruok"]))
    }

    @Test("Settings that give up a guarantee are said aloud")
    func dangerousSettings() throws {
        let (configuration, warnings) = try parse(base + "forceSync=no\nskipACL=yes\n4lw.commands.whitelist=*")
        #expect(!configuration.forceSync && configuration.skipsACL && configuration.fourLetterWords == .all)
        #expect(warnings.count == 2 && warnings[0].hasPrefix("zoo.cfg:3: forceSync=no"))
    }

    @Test("Unknown keys are warnings with their line, and with the key that was probably meant")
    func unknownKeys() throws {
        let (_, warnings) = try parse(base + "tickTme=1\nsomething.else=2\nadmin.enableServer=false\nclientPort=2182")
        #expect(warnings.count == 4)
        #expect(warnings[0] == "zoo.cfg:3: unknown key tickTme has no effect; did you mean tickTime?")
        #expect(warnings[1] == "zoo.cfg:4: unknown key something.else has no effect")
        #expect(warnings[2] == "zoo.cfg:5: admin.enableServer has no effect: there is no HTTP admin server")
        #expect(warnings[3] == "zoo.cfg:6: clientPort is given again; line 2 no longer counts")
    }

    @Test(
        "Bad values are refused with file, line, key, value and what is allowed",
        arguments: [
            ("tickTime=0", "from 1"), ("tickTime=abc", "whole number"), ("tickTime=99999999999", "whole number"),
            ("clientPort=65536", "from 0 to 65535"), ("clientPortAddress=", "empty"),
            ("digest.enabled=yes", "true or false"),
            ("forceSync=maybe", "yes or no"), ("snapSizeLimitInKb=9223372036854775807", "KiB"),
            ("jute.maxbuffer=10", "1024"),
            ("autopurge.purgeInterval=1w", "d, h, m or s"), ("autopurge.purgeInterval=-1", "never"),
            ("DigestAuthenticationProvider.digestAlg=MD5", "SHA1"),
            ("electionAlg=0", "must be 3"), ("secureClientPort=2281", "TLS"), ("sslQuorum=true", "TLS"),
            ("dynamicConfigFile=/x", "another file"), ("standaloneEnabled=false", "list of servers"),
            ("group.1=1:2", "ensembles"),
            ("authProvider.1=com.example.Provider", "digest"), ("server.1=host", "HOST:2888:3888"),
            ("server.x=host:1:2", "whole number"), ("server.1=host:1:1", "differ"), ("server.1=host:1:2:chief", "role"),
            ("server.1=[::1:1:2", "bracket"), ("server.1=h:1:70000", "65535"), ("server.1=h:1:2;a:b:3", "PORT"),
            ("server.1=h:1:2:observer", "observer"), ("server.1=h:1:2|i:1:2:observer", "same role"),
        ])
    func badValues(line: String, allowed: String) throws {
        let text = try #require(message("dataDir=/d\nclientPort=2181\n\n" + line))
        #expect(text.hasPrefix("zoo.cfg:4: "))
        #expect(text.contains(line.prefix { $0 != "=" }))
        #expect(text.contains(allowed), "\(text)")
    }

    @Test("What is missing is named")
    func missing() {
        #expect(message("clientPort=1")?.contains("dataDir is missing") == true)
        #expect(message("dataDir=/d")?.contains("clientPort is missing") == true)
        #expect(message(base + "minSessionTimeout=5\nmaxSessionTimeout=4")?.contains("must not exceed") == true)
        #expect(message(base + "minSessionTimeout=70000")?.hasPrefix("zoo.cfg:3: ") == true)
    }

    @Test("The super user's digest shows up in no message and no description")
    func secret() throws {
        let (configuration, _) = try parse(base + "DigestAuthenticationProvider.superDigest=super:geheim")
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!"\(configuration)".contains("geheim") && !dumped.contains("geheim"))
        #expect(message(base + "DigestAuthenticationProvider.superDigest=geheim")?.contains("geheim") == false)
    }

    // MARK: Server list and short form

    @Test("A list with a single voter is accepted and may give the client's address")
    func singleVoter() throws {
        let text = "dataDir=/d\nserver.1=[2001:db8::1]:2888:3888:PARTICIPANT;[::]:2182\ninitLimit=5"
        let (configuration, warnings) = try parse(text)
        #expect(warnings.isEmpty)
        #expect(configuration.clientPort == 2182 && configuration.clientAddress == "::")
        #expect(try parse(base + "server.1=h:1:2;2181").configuration.clientAddress == "127.0.0.1")
        #expect(message(base + "server.1=h:1:2;2182")?.contains("contradicts clientPort=2181 in line 2") == true)
        #expect(
            message(base + "clientPortAddress=a\nserver.1=h:1:2;b:2181")?.contains("contradicts clientPortAddress=a")
                == true)
    }

    @Test("The short form gives port, directory, tick and connections")
    func shortForm() throws {
        let configuration = try ServerConfiguration.parse(arguments: ["2183", "/d", "500", "9"])
        #expect(configuration.clientPort == 2183 && configuration.dataDirectory == "/d")
        #expect(configuration.tickTimeMilliseconds == 500 && configuration.maximumConnectionsPerAddress == 9)
        #expect(throws: ZooKeeperError(.badConfiguration)) { try ServerConfiguration.parse(arguments: ["2183"]) }
        do {
            _ = try ServerConfiguration.parse(arguments: ["port", "/d"])
            Issue.record("must not be accepted")
        } catch {
            #expect(error.message.hasPrefix("command line:1: clientPort=port: "))
        }
    }

    @Test("A temporary configuration takes a free port on loopback")
    func temporary() {
        let configuration = ServerConfiguration.temporary(dataDirectory: "/t")
        #expect(configuration.clientPort == 0 && configuration.clientAddress == "127.0.0.1")
        #expect(configuration.sessionTimeoutMilliseconds == 200...60_000)
    }
}

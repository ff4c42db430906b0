import ConclaveConsensus
import ConclaveCore
import ConclaveServer
import ConclaveSystem
import Foundation
import Testing

@Suite("Files of an ensemble")
struct EnsembleFileTests {
    private let directory: TemporaryDirectory
    private var main: String { path("zoo.cfg") }

    init() throws { directory = try TemporaryDirectory(prefix: "conclave-files") }

    private func path(_ name: String) -> String { directory.path + "/" + name }

    private func write(_ text: String, _ name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path(name)))
    }

    private func read(_ name: String) -> String? {
        (try? Data(contentsOf: URL(filePath: path(name)))).map { String(decoding: $0, as: UTF8.self) }
    }

    private func load() throws -> (configuration: ServerConfiguration, warnings: [String]) {
        try ServerConfiguration.load(file: main)
    }

    private func message() -> String? {
        do {
            _ = try load()
            return nil
        } catch {
            // What stands before the names of the files changes from run to run.
            return "\(error)".replacing(directory.path + "/", with: "")
        }
    }

    private var base: String { "dataDir=\(directory.path)\nclientPort=2181\ninitLimit=10\nsyncLimit=5\n" }
    private let list = "server.1=localhost:1:2\nserver.2=localhost:3:4\nserver.10=localhost:5:6:observer;7\n"

    private func ensemble(_ text: String) throws -> EnsembleConfiguration { try EnsembleConfiguration(text: text) }

    // MARK: Reading

    @Test("The file myid says which server this is")
    func identity() throws {
        defer { directory.remove() }
        try write(base + list, "zoo.cfg")
        #expect(message()?.hasPrefix("myid: the file is missing") == true)
        try write("two\n", "myid")
        #expect(message()?.hasPrefix("myid: must hold a whole number, found \"two\"") == true)
        try write("7", "myid")
        #expect(message()?.hasPrefix("myid: this is server 7, but only these are listed: 1, 2, 10") == true)
        try write("", "myid")
        #expect(message()?.contains("found \"\"") == true)
        try write(" 2 \nand more\n", "myid")
        let (configuration, _) = try load()
        #expect(configuration.ensemble?.myID == ServerID(rawValue: 2))
        #expect(configuration.ensemble?.files == ConfigurationFiles(main: main))
        // Contradictions are those of the list, not of the file.
        try write("10", "myid")
        #expect(message()?.hasPrefix("zoo.cfg:7: server.10: the client port 7 contradicts") == true)
        // A server that stands alone has no use for the file.
        try write("dataDir=/d\nclientPort=1", "zoo.cfg")
        #expect(try load().configuration.ensemble == nil)
    }

    @Test("A list of its own has the version that its name ends in")
    func dynamicFile() throws {
        defer { directory.remove() }
        try write(base + "dynamicConfigFile=\(path("zoo.cfg.dynamic.1000000ab"))", "zoo.cfg")
        #expect(message()?.contains("No such file or directory") == true)
        try write("# by hand\n" + list + "group.1 = 1:2\n", "zoo.cfg.dynamic.1000000ab")
        try write("1", "myid")
        let (configuration, warnings) = try load()
        let settings = try #require(configuration.ensemble)
        #expect(warnings.isEmpty && settings.configuration.version == 0x1_0000_00ab)
        #expect(settings.configuration.isHierarchical && settings.configuration.members.count == 3)
        // Named by hand: never changed.
        try write(base + "dynamicConfigFile=\(path("list"))", "zoo.cfg")
        try write(list, "list")
        #expect(try load().configuration.ensemble?.configuration.version == 0)
    }

    @Test("Two places for the list, other keys and a version inside are refused with file and line")
    func dynamicFileErrors() throws {
        defer { directory.remove() }
        let naming = base + "dynamicConfigFile=\(path("zoo.cfg.dynamic"))\n"
        try write(naming + list, "zoo.cfg")
        try write(list, "zoo.cfg.dynamic")
        try write("1", "myid")
        #expect(message()?.hasPrefix("zoo.cfg:6: server.1=localhost:1:2: belongs into the file") == true)
        try write(naming, "zoo.cfg")
        for (line, text) in [
            ("tickTime=1", "only server., group. and weight."), ("version=1", "stands in the name"),
            ("server.3=x", "HOST:2888:3888"), ("group.1=1", "server 2 is in no group"),
        ] {
            try write(line + "\n" + list, "zoo.cfg.dynamic")
            let found = try #require(message())
            #expect(found.hasPrefix("zoo.cfg.dynamic:1: ") && found.contains(text), "\(found)")
        }
        try write("", "zoo.cfg.dynamic")
        #expect(message()?.hasPrefix("zoo.cfg.dynamic: names no server") == true)
        try write("server.1=h:1:2\nserver.1=h:1:2\nserver.2=i:1:2\nserver.3=k:1:2", "zoo.cfg.dynamic")
        #expect(
            try load().warnings.first?.hasSuffix("zoo.cfg.dynamic:2: server.1 is given again; line 1 no longer counts")
                == true)
    }

    @Test("A list of its own with a single voter is one of a server that stands alone")
    func dynamicFileAlone() throws {
        defer { directory.remove() }
        try write("dataDir=\(directory.path)\ndynamicConfigFile=\(path("zoo.cfg.dynamic"))\n", "zoo.cfg")
        try write("server.1=h:1:2;10.0.0.1:2190", "zoo.cfg.dynamic")
        let (configuration, _) = try load()
        #expect(configuration.ensemble == nil)
        #expect(configuration.clientPort == 2190 && configuration.clientAddress == "10.0.0.1")
    }

    @Test("A change that was under way is known after a restart, as long as it is newer than the list")
    func pending() throws {
        defer { directory.remove() }
        let changed = try ensemble(list + "server.3=localhost:8:9\nversion=200000000")
        try write(base + list, "zoo.cfg")
        try write("1", "myid")
        let files = ConfigurationFiles(main: main)
        try files.write(pending: changed)
        #expect(
            read("zoo.cfg.dynamic.next")
                == "server.10=localhost:5:6:observer;0.0.0.0:7\nserver.1=localhost:1:2:participant\n"
                + "server.2=localhost:3:4:participant\nserver.3=localhost:8:9:participant\nversion=200000000")
        // A list in the main file was never changed, so that the other is a left-over.
        #expect(try load().configuration.ensemble?.pending == nil)
        for (version, expected) in [("1ffffffff", changed), ("200000000", nil), ("200000001", nil)] {
            try write(base + "dynamicConfigFile=\(path("zoo.cfg.dynamic.\(version)"))", "zoo.cfg")
            try write(list, "zoo.cfg.dynamic.\(version)")
            #expect(try load().configuration.ensemble?.pending == expected)
        }
        try write("nonsense", "zoo.cfg.dynamic.next")
        #expect(message()?.hasPrefix("zoo.cfg.dynamic.next:1: ") == true)
    }

    // MARK: Writing

    @Test("A committed change moves the list out of the main file, whose other lines stay as they are")
    func activate() throws {
        defer { directory.remove() }
        let original =
            "# The servers of the house\r\n" + base + "server.1 = localhost:\\\n   1:2\n"
            + "! two\nserver.2=localhost:3:4\n"
            + "peerType=participant\nzookeeper.dynamicConfigFile\nextra = a\\\n  b"
        try write(original.replacing("zookeeper.dynamicConfigFile\n", with: ""), "zoo.cfg")
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: main)
        try write("1", "myid")
        #expect(try load().configuration.ensemble?.configuration.members.count == 2)
        try write(original, "zoo.cfg")
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: main)
        let changed = try ensemble(list + "version=100000000")
        let files = ConfigurationFiles(main: main)
        try files.write(pending: changed)
        try files.activate(changed, listsClientPort: false)
        #expect(
            read("zoo.cfg") == "# The servers of the house\r\n" + base + "! two\nextra = a\\\n  b\n"
                + "dynamicConfigFile=\(path("zoo.cfg.dynamic.100000000"))\n")
        #expect(
            read("zoo.cfg.dynamic.100000000") == "server.10=localhost:5:6:observer;0.0.0.0:7\n"
                + "server.1=localhost:1:2:participant\nserver.2=localhost:3:4:participant")
        #expect(read("zoo.cfg.bak") == original && read("zoo.cfg.dynamic.next") == nil)
        for name in ["zoo.cfg", "zoo.cfg.bak"] {
            let permissions = try FileManager.default.attributesOfItem(atPath: path(name))[.posixPermissions]
            #expect(permissions as? Int == 0o640)
        }
        #expect(try load().configuration.ensemble?.configuration == changed)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
        #expect(names == ["myid", "zoo.cfg", "zoo.cfg.bak", "zoo.cfg.dynamic.100000000"])
    }

    @Test("The client port leaves the main file when the list says it, and nothing else that begins like it")
    func clientPort() throws {
        defer { directory.remove() }
        let lines = "clientPortListenBacklog=7\ntickTime=2000\n"
        try write(base + "clientPortAddress=0.0.0.0\n" + lines, "zoo.cfg")
        try write("10", "myid")
        let changed = try ensemble(list + "version=a")
        let files = ConfigurationFiles(main: main)
        try files.activate(changed, listsClientPort: true)
        let text = "dataDir=\(directory.path)\ninitLimit=10\nsyncLimit=5\n" + lines
        #expect(read("zoo.cfg") == text + "dynamicConfigFile=\(path("zoo.cfg.dynamic.a"))\n")
        // There was no list in it that would be worth keeping.
        #expect(read("zoo.cfg.bak") == nil)
        let (configuration, _) = try load()
        #expect(configuration.clientPort == 7 && configuration.clientAddress == "0.0.0.0")
        #expect(configuration.listenBacklog == 7)
    }

    @Test("Changes follow one another; a proposal that is newer than what is activated stays")
    func changes() throws {
        defer { directory.remove() }
        try write(base + list, "zoo.cfg")
        try write("1", "myid")
        let files = ConfigurationFiles(main: main)
        let second = try ensemble(list + "server.3=localhost:8:9\nversion=2")
        try files.write(pending: second)
        try files.activate(try ensemble(list + "version=1"), listsClientPort: false)
        #expect(try load().configuration.ensemble?.pending == second)
        try files.activate(second, listsClientPort: false)
        #expect(try load().configuration.ensemble?.configuration == second)
        #expect(try load().configuration.ensemble?.pending == nil && read("zoo.cfg.dynamic.1") != nil)
        // Again, as after a crash before the last step.
        try files.activate(second, listsClientPort: false)
        #expect(try load().configuration.ensemble?.configuration == second)
        let lines = try #require(read("zoo.cfg")).split(separator: "\n")
        #expect(lines.count == 5 && lines.count { $0.hasPrefix("dynamicConfigFile=") } == 1)
    }

    @Test("A link to the main file stays one; the list and the change lie beside the link")
    func link() throws {
        defer { directory.remove() }
        try FileManager.default.createDirectory(atPath: path("real"), withIntermediateDirectories: false)
        try write(base + list, "real/house.cfg")
        try FileManager.default.createSymbolicLink(atPath: main, withDestinationPath: path("real/house.cfg"))
        try write("1", "myid")
        let changed = try ensemble(list + "version=1")
        try ConfigurationFiles(main: main).activate(changed, listsClientPort: false)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: main) == path("real/house.cfg"))
        #expect(read("real/house.cfg")?.contains("dynamicConfigFile=") == true && read("zoo.cfg.dynamic.1") != nil)
        #expect(try load().configuration.ensemble?.configuration == changed)
    }

    @Test("Names with blanks, backslashes and other letters survive")
    func oddNames() throws {
        defer { directory.remove() }
        let name = " h\u{e4}us\\er \u{1F600}=:#.cfg"
        try write(base + list, name)
        try write("1", "myid")
        let changed = try ensemble(list + "version=1")
        try ConfigurationFiles(main: path(name)).activate(changed, listsClientPort: false)
        #expect(read(name)?.utf8.allSatisfy { $0 < 0x80 } == true)
        #expect(try ServerConfiguration.load(file: path(name)).configuration.ensemble?.configuration == changed)
    }

    @Test("What cannot be written is an error of storage, and what was valid stays valid")
    func cannotWrite() throws {
        defer { directory.remove() }
        try write(base + list, "zoo.cfg")
        try write("1", "myid")
        let changed = try ensemble(list + "version=1")
        // A folder in the way of the new list.
        try FileManager.default.createDirectory(atPath: path("zoo.cfg.dynamic.1"), withIntermediateDirectories: false)
        do {
            try ConfigurationFiles(main: main).activate(changed, listsClientPort: false)
            Issue.record("must not work")
        } catch {
            #expect(error.code == .storageFailure && error.path?.hasPrefix(path("zoo.cfg.dynamic.1")) == true)
        }
        #expect(read("zoo.cfg") == base + list)
        #expect(throws: ZooKeeperError.self) {
            try ConfigurationFiles(main: path("none.cfg")).activate(changed, listsClientPort: false)
        }
    }

    @Test("Files that are too long, or no files, are refused")
    func hostile() throws {
        defer { directory.remove() }
        try write(String(repeating: "#\n", count: 600_000), "zoo.cfg")
        #expect(message()?.contains("no configuration") == true)
        try FileManager.default.removeItem(atPath: main)
        #expect(message()?.contains("No such file") == true)
        try FileManager.default.createDirectory(atPath: main, withIntermediateDirectories: false)
        #expect(message() != nil)
    }
}

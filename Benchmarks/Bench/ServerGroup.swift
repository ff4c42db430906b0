import BenchmarkKit
import ConclaveCommandKit
import ConclaveSystem
import Foundation
import Synchronization

/// The servers that are measured: processes started here, or somebody else's.
final class ServerGroup {
    enum Kind: String, Sendable {
        case conclave
        case apache
        case other
    }

    struct Member {
        let id: Int
        let clientPort: UInt16
        let configurationPath: String
        var process: Process?
    }

    /// The word with which this program becomes a server.
    static let serverWord = "server"
    private static let apacheClasses = "/usr/share/java/zookeeper.jar"

    let kind: Kind
    let hosts: String
    private(set) var members: [Member] = []
    private let folder: String
    /// Held so that nobody else takes the ports while servers are down.
    private var ports: [ReservedPort] = []

    /// Somebody else's.
    init(hosts: String) {
        kind = .other
        self.hosts = hosts
        folder = ""
    }

    /// What this machine lacks for Apache's servers, as a sentence; `nil` if nothing.
    static var missingForApache: String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        if !folders.contains(where: { FileManager.default.isExecutableFile(atPath: "\($0)/java") }) {
            return "--apache needs java: apt-get install default-jre-headless zookeeper libzookeeper-java"
        }
        guard FileManager.default.fileExists(atPath: apacheClasses) else {
            return "--apache needs \(apacheClasses): apt-get install zookeeper libzookeeper-java"
        }
        return nil
    }

    /// Configures servers of a kind in a folder that exists; nothing runs yet.
    init(_ kind: Kind, servers: Int, observers: Int, folder: String) throws {
        self.kind = kind
        self.folder = folder
        var ports: [ReservedPort] = []
        func port() throws -> UInt16 {
            let port = try ReservedPort()
            ports.append(port)
            return port.number
        }
        let count = servers + observers
        var lines: [String] = []
        for id in 1...count where count > 1 {
            let role = id > servers ? ":observer" : ""
            lines.append("server.\(id)=127.0.0.1:\(try port()):\(try port())\(role)")
        }
        for id in 1...count {
            let data = "\(folder)/\(id)/data"
            try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
            let clientPort = try port()
            var configuration = [
                "dataDir=\(data)", "clientPort=\(clientPort)", "clientPortAddress=127.0.0.1", "tickTime=1000",
                "initLimit=20", "syncLimit=4", "maxClientCnxns=0", "maxCnxns=0",
                "admin.enableServer=false", "4lw.commands.whitelist=*",
            ]
            if id > servers { configuration.append("peerType=observer") }
            let text = (configuration + lines).joined(separator: "\n") + "\n"
            let path = "\(folder)/\(id)/zoo.cfg"
            try text.write(toFile: path, atomically: false, encoding: .utf8)
            if count > 1 { try "\(id)\n".write(toFile: "\(data)/myid", atomically: false, encoding: .utf8) }
            members.append(Member(id: id, clientPort: clientPort, configurationPath: path))
        }
        hosts = members.map { "127.0.0.1:\($0.clientPort)" }.joined(separator: ",")
        self.ports = ports
    }

    /// Starts every server and waits until all of them serve.
    func start() throws {
        for index in members.indices where members[index].process == nil { try launch(index) }
        try untilServing()
    }

    func launch(_ index: Int) throws {
        let process = Process()
        let member = members[index]
        var command: [String]
        switch kind {
        case .conclave:
            guard let program = ProcessEnvironment.executable else {
                throw LoadError("where this program lies is unknown")
            }
            command = [program, program, Self.serverWord, member.configurationPath]
        case .apache:
            command = [
                "/usr/bin/env", "env", "java", "-cp", Self.apacheClasses,
                "org.apache.zookeeper.server.quorum.QuorumPeerMain", member.configurationPath,
            ]
        case .other: return
        }
        // Ended with this program, however it ends.
        if let program = ProcessEnvironment.executable {
            command = [program, GuardedExec.name, "\(getpid())"] + command
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = Array(command.dropFirst())
        }
        let log = "\(folder)/\(member.id)/output"
        if !FileManager.default.fileExists(atPath: log) {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
        }
        let output = FileHandle(forWritingAtPath: log)
        _ = try? output?.seekToEnd()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        members[index].process = process
        Self.running.withLock { _ = $0.insert(process.processIdentifier) }
    }

    func untilServing() throws {
        let deadline = Date(timeIntervalSinceNow: 120)
        for member in members {
            while true {
                if let process = member.process, !process.isRunning {
                    throw LoadError("server \(member.id) of \(kind) ended: \(lastWords(member.id - 1))")
                }
                if AdminWord.ask("srvr", port: member.clientPort)?.contains("Mode: ") == true { break }
                guard Date() < deadline else {
                    throw LoadError("server \(member.id) of \(kind) does not serve within 120 s")
                }
                usleep(20_000)
            }
        }
    }

    /// The server that leads, or stands alone.
    func leader() throws -> Int {
        let deadline = Date(timeIntervalSinceNow: 60)
        while Date() < deadline {
            for index in members.indices where members[index].process?.isRunning == true {
                let answer = AdminWord.ask("srvr", port: members[index].clientPort) ?? ""
                if answer.contains("Mode: leader") || answer.contains("Mode: standalone") { return index }
            }
            usleep(20_000)
        }
        throw LoadError("nobody leads the servers of \(kind)")
    }

    func signal(_ number: Int32, _ index: Int) {
        guard let process = members[index].process else { return }
        kill(process.processIdentifier, number)
        if number == SIGKILL { forget(index) }
    }

    func stop() {
        for member in members { member.process?.terminate() }
        for index in members.indices { forget(index) }
    }

    private func forget(_ index: Int) {
        guard let process = members[index].process else { return }
        process.waitUntilExit()
        Self.running.withLock { _ = $0.remove(process.processIdentifier) }
        members[index].process = nil
    }

    /// The processes of all groups, for an end in a hurry.
    private static let running = Mutex<Set<Int32>>([])

    static func killAll() {
        for pid in running.withLock({ $0 }) { kill(pid, SIGKILL) }
    }

    /// All servers that run here, to be measured together; `nil` for somebody else's.
    var processes: ServerProcess? {
        let pids = members.compactMap { $0.process?.processIdentifier }
        return pids.isEmpty ? nil : ServerProcess(pids: pids)
    }

    /// Where a server keeps its logs and snapshots.
    func history(_ index: Int) -> String { "\(folder)/\(members[index].id)/data/version-2" }

    /// The end of what a server wrote on its terminal.
    func lastWords(_ index: Int) -> String {
        let log = try? String(contentsOfFile: "\(folder)/\(members[index].id)/output", encoding: .utf8)
        return String((log ?? "it said nothing").suffix(400))
    }

    /// The newest transaction that a server knows of; `nil` if it does not serve.
    func zxid(_ index: Int) -> Int64? {
        let answer = AdminWord.ask("srvr", port: members[index].clientPort) ?? ""
        guard answer.contains("Mode: "),
            let line = answer.split(separator: "\n").first(where: { $0.hasPrefix("Zxid: ") })
        else { return nil }
        return Int64(line.dropFirst("Zxid: 0x".count), radix: 16)
    }
}

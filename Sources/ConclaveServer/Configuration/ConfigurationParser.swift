import ConclaveConsensus
import ConclaveCore

/// Turns the entries of a file into a configuration, one after the other.
struct ConfigurationParser {
    var reader: ValueReader
    var configuration = ServerConfiguration(dataDirectory: "", clientPort: 0)
    /// Where each key was last given.
    private var lines: [String: Int] = [:]
    private var list = ServerList()
    /// Entries that are used when it is known whether there is an ensemble.
    var postponed: [(key: ConfigurationKey, entry: Properties.Entry)] = []
    var standaloneEnabled = true
    /// The file with the server list, and the line that names it.
    private(set) var dynamicFile: (path: String, entry: Properties.Entry)?
    var dynamicList: (list: ServerList, reader: ValueReader)?
    var pending: EnsembleConfiguration?

    init(file: String) { reader = ValueReader(file: file) }

    /// Where the data is, as far as it is known.
    var dataDirectory: String { configuration.dataDirectory }

    mutating func take(_ entry: Properties.Entry) throws(ZooKeeperError) {
        if let earlier = lines.updateValue(entry.line, forKey: entry.key) {
            reader.warn(entry.line, "\(entry.key) is given again; line \(earlier) no longer counts")
        }
        if ServerList.contains(key: entry.key) { return try list.take(entry, reader) }
        guard let key = ConfigurationKey.find(entry.key) else {
            let hint = ConfigurationKey.suggestion(for: entry.key).map { "; did you mean \($0)?" } ?? ""
            return reader.warn(entry.line, "unknown key \(entry.key) has no effect\(hint)")
        }
        if key.ensemble != nil { return postponed.append((key, entry)) }
        if let special = try reader.apply(key.effect, of: entry, to: &configuration) { try apply(special, entry) }
    }

    /// Takes what is in the file that ``dynamicFile`` names.
    mutating func takeDynamic(_ properties: Properties, version: Int64) throws(ZooKeeperError) {
        guard let dynamicFile else { preconditionFailure("no file with a server list was named") }
        var file = DynamicFile(file: dynamicFile.path)
        try file.take(properties, versionIsAllowed: false)
        file.list.version = version
        dynamicList = (file.list, file.reader)
    }

    /// Takes what is in the file of a change that had not been activated.
    mutating func takePending(_ properties: Properties, file path: String) throws(ZooKeeperError) {
        var file = DynamicFile(file: path)
        try file.take(properties, versionIsAllowed: true)
        pending = try file.list.configuration(file.reader)
    }

    /// Checks what concerns several keys.
    mutating func finish() throws(ZooKeeperError) -> (configuration: ServerConfiguration, warnings: [String]) {
        try applyServerList()
        guard !configuration.dataDirectory.isEmpty else {
            throw reader.missing("dataDir", "the directory where the server keeps its data")
        }
        if configuration.ensemble == nil {
            guard lines["clientPort"] != nil || allServers.first?.member.clientPort != nil else {
                throw reader.missing("clientPort", "the port for clients, for example 2181")
            }
        }
        let lowest = configuration.minimumSessionTimeoutMilliseconds ?? 2 * configuration.tickTimeMilliseconds
        let highest = configuration.maximumSessionTimeoutMilliseconds ?? 20 * configuration.tickTimeMilliseconds
        guard lowest <= highest else {
            let line = lines["minSessionTimeout"] ?? lines["maxSessionTimeout"] ?? 0
            let text = "minSessionTimeout (\(lowest) ms) must not exceed maxSessionTimeout (\(highest) ms)"
            throw reader.error(at: line, text)
        }
        if !configuration.forceSync {
            reader.warn(line(of: "forceSync"), "forceSync=no: a crash of the machine can lose acknowledged writes")
        }
        if configuration.skipsACL {
            reader.warn(
                line(of: "skipACL"), "skipACL=yes: access control lists are ignored, everybody may do everything")
        }
        return (configuration, reader.warnings + (dynamicList?.reader.warnings ?? []))
    }

    private mutating func apply(_ special: ServerConfiguration.Special, _ entry: Properties.Entry)
        throws(ZooKeeperError)
    {
        switch special {
        case .preallocation:
            configuration.preallocateBytes =
                Int64(max(0, try reader.number(entry, in: ValueReader.anyKibibytes, unit: "KiB, 0 for off"))) << 10
        case .purgeInterval:
            configuration.purgeIntervalSeconds = try reader.interval(entry)
        case .retainedSnapshots:
            configuration.retainedSnapshots = try reader.raised(entry, to: 3, unit: "snapshots")
        case .snapshotEvery:
            configuration.snapshotEvery = try reader.raised(entry, to: 2, unit: "transactions")
        case .words:
            configuration.fourLetterWords = reader.words(entry)
        case .superDigest:
            guard entry.value.contains(":") else {
                // The value is as good as a password: no message may carry it.
                throw reader.bad(entry, "must look like USER:BASE64-OF-SHA-1", hidingValue: true)
            }
            configuration.superDigest = entry.value
        case .digestAlgorithm:
            guard ["SHA1", "SHA-1"].contains(entry.value.uppercased()) else { throw reader.bad(entry, "must be SHA1") }
        case .neverUsedContainers:
            configuration.containerMaximumNeverUsedMilliseconds =
                Int64(try reader.number(entry, in: 0...Int.max, unit: "milliseconds, 0 for never"))
        case .electionAlgorithm:
            guard entry.value == "3" else { throw reader.bad(entry, "must be 3") }
        case .standaloneEnabled:
            standaloneEnabled = try reader.flag(entry)
        case .dynamicFile:
            guard !entry.value.isEmpty else { throw reader.bad(entry, "must not be empty") }
            dynamicFile = (entry.value, entry)
        case .unusedLimit:
            _ = try reader.number(entry, in: 0...Int(Int32.max), unit: "ticks")
        }
    }

    func line(of key: String) -> Int { lines[key] ?? lines[ConfigurationKey.prefix + key] ?? 0 }
}

/// The list of servers, and whether it makes an ensemble.
extension ConfigurationParser {
    private var allServers: [ServerList.Server] { dynamicList?.list.servers ?? list.servers }

    /// Decides whether this is an ensemble, and uses what was postponed.
    private mutating func applyServerList() throws(ZooKeeperError) {
        if let dynamicFile {
            if let misplaced = list.servers.first?.entry ?? list.hierarchy {
                throw reader.bad(misplaced, "belongs into the file that dynamicConfigFile names (\(dynamicFile.path))")
            }
            guard dynamicList != nil else {
                throw reader.bad(dynamicFile.entry, "names another file, which is read only together with this one")
            }
        }
        let (list, listReader) = dynamicList ?? (list, reader)
        let voters = list.servers.count { $0.member.role == .participant }
        guard let first = list.servers.first else {
            if let entry = list.hierarchy { throw listReader.bad(entry, "groups and weights belong to ensembles") }
            if dynamicFile != nil { throw listReader.error(at: 0, "names no server (server.N)") }
            guard standaloneEnabled else {
                let text = "standaloneEnabled=false: an ensemble needs a list of servers (server.N)"
                throw reader.error(at: line(of: "standaloneEnabled"), text)
            }
            return try applyPostponedAlone()
        }
        if voters > 1 || voters == 1 && !standaloneEnabled { return try makeEnsemble(list) }
        // What stands alone has neither groups nor observers.
        if let observer = list.servers.first(where: { $0.member.role == .observer }) {
            let more = voters == 1 ? "more voters, or standaloneEnabled=false" : "voters"
            throw listReader.error(
                at: observer.entry.line, "server.\(observer.member.id): an observer needs \(more)")
        }
        if let entry = list.hierarchy { throw listReader.bad(entry, "groups and weights belong to ensembles") }
        try applyPostponedAlone()
        try applyClientAddress(of: first, listReader)
    }

    private mutating func applyPostponedAlone() throws(ZooKeeperError) {
        for (key, entry) in postponed {
            if let special = try reader.apply(key.effect, of: entry, to: &configuration) { try apply(special, entry) }
        }
    }

    /// The only server of a list that is none.
    private mutating func applyClientAddress(
        of server: ServerList.Server, _ listReader: ValueReader
    ) throws(ZooKeeperError) {
        guard let port = server.member.clientPort else { return }
        if let line = lines["clientPort"], configuration.clientPort != port {
            let text = "the client port \(port) contradicts clientPort=\(configuration.clientPort) in line \(line)"
            throw listReader.error(at: server.entry.line, "server.\(server.member.id): \(text)")
        }
        configuration.clientPort = port
        guard server.namesClientHost, let host = server.member.clientHost else { return }
        if let line = lines["clientPortAddress"], configuration.clientAddress != host {
            let text = "the client address \(host) contradicts clientPortAddress=\(configuration.clientAddress)"
            throw listReader.error(at: server.entry.line, "server.\(server.member.id): \(text) in line \(line)")
        }
        configuration.clientAddress = host
    }
}

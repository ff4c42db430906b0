import ConclaveCore

/// Turns the entries of a file into a configuration, one after the other.
struct ConfigurationParser {
    private let file: String
    private var configuration = ServerConfiguration(dataDirectory: "", clientPort: 0)
    private var warnings: [String] = []
    /// Where each key was last given.
    private var lines: [String: Int] = [:]
    private var servers: [(line: Int, server: ServerLine)] = []

    init(file: String) { self.file = file }

    mutating func take(_ entry: Properties.Entry) throws(ZooKeeperError) {
        if let earlier = lines.updateValue(entry.line, forKey: entry.key) {
            warn(entry.line, "\(entry.key) is given again; line \(earlier) no longer counts")
        }
        if entry.key.hasPrefix("server.") { return try takeServer(entry) }
        if entry.key.hasPrefix("group.") || entry.key.hasPrefix("weight.") {
            throw bad(entry, "groups and weights belong to ensembles; " + ConfigurationKey.ensembles)
        }
        guard let key = ConfigurationKey.find(entry.key) else {
            let hint = ConfigurationKey.suggestion(for: entry.key).map { "; did you mean \($0)?" } ?? ""
            return warn(entry.line, "unknown key \(entry.key) has no effect\(hint)")
        }
        try apply(key.effect, entry)
    }

    /// Checks what concerns several keys.
    mutating func finish() throws(ZooKeeperError) -> (configuration: ServerConfiguration, warnings: [String]) {
        try applyServerList()
        guard !configuration.dataDirectory.isEmpty else {
            throw missing("dataDir", "the directory where the server keeps its data")
        }
        guard lines["clientPort"] != nil || servers.first?.server.clientPort != nil else {
            throw missing("clientPort", "the port for clients, for example 2181")
        }
        let lowest = configuration.minimumSessionTimeoutMilliseconds ?? 2 * configuration.tickTimeMilliseconds
        let highest = configuration.maximumSessionTimeoutMilliseconds ?? 20 * configuration.tickTimeMilliseconds
        guard lowest <= highest else {
            let line = lines["minSessionTimeout"] ?? lines["maxSessionTimeout"] ?? 0
            let text = "minSessionTimeout (\(lowest) ms) must not exceed maxSessionTimeout (\(highest) ms)"
            throw ZooKeeperError(.badConfiguration, message: "\(file):\(line): \(text)")
        }
        if !configuration.forceSync {
            warn(line(of: "forceSync"), "forceSync=no: a crash of the machine can lose acknowledged writes")
        }
        if configuration.skipsACL {
            warn(line(of: "skipACL"), "skipACL=yes: access control lists are ignored, everybody may do everything")
        }
        return (configuration, warnings)
    }

    private mutating func apply(_ effect: ConfigurationKey.Effect, _ entry: Properties.Entry) throws(ZooKeeperError) {
        switch effect {
        case .text(let property):
            guard !entry.value.isEmpty else { throw bad(entry, "must not be empty") }
            configuration[keyPath: property] = entry.value
        case .optionalText(let property):
            configuration[keyPath: property] = entry.value.isEmpty ? nil : entry.value
        case .number(let property, let range, let unit):
            configuration[keyPath: property] = try number(entry, in: range, unit: unit)
        case .limit(let property, let unit):
            configuration[keyPath: property] = max(
                0, try number(entry, in: Self.anyInt32, unit: unit + ", 0 for no limit"))
        case .optionalNumber(let property, let unit):
            let value = try number(entry, in: Self.anyInt32, unit: unit + ", -1 for the default")
            configuration[keyPath: property] = value > 0 ? value : nil
        case .optionalKibibytes(let property):
            let kibibytes = Int64(try number(entry, in: Self.anyKibibytes, unit: "KiB, 0 for off"))
            configuration[keyPath: property] = kibibytes > 0 ? kibibytes << 10 : nil
        case .flag(let property):
            configuration[keyPath: property] = try flag(entry, ["true": true, "false": false])
        case .yesOrNo(let property):
            configuration[keyPath: property] = try flag(
                entry, ["yes": true, "no": false, "true": true, "false": false])
        case .special(let special):
            try apply(special, entry)
        case .ignored(let reason):
            if let reason { warn(entry.line, "\(entry.key) has no effect: \(reason)") }
            try checkIgnored(entry)
        case .refused(let reason, let harmless):
            guard harmless.contains(entry.value.lowercased()) else { throw bad(entry, reason) }
        }
    }

    private mutating func apply(_ special: ConfigurationKey.Special, _ entry: Properties.Entry) throws(ZooKeeperError) {
        switch special {
        case .preallocation:
            configuration.preallocateBytes =
                Int64(max(0, try number(entry, in: Self.anyKibibytes, unit: "KiB, 0 for off"))) << 10
        case .purgeInterval:
            configuration.purgeIntervalSeconds = try interval(entry)
        case .retainedSnapshots:
            let count = try number(entry, in: Self.anyInt32, unit: "snapshots")
            if count < 3 { warn(entry.line, "autopurge.snapRetainCount=\(count) is raised to the minimum, 3") }
            configuration.retainedSnapshots = max(3, count)
        case .snapshotEvery:
            let count = try number(entry, in: Self.anyInt32, unit: "transactions")
            if count < 2 { warn(entry.line, "snapCount=\(count) is raised to the minimum, 2") }
            configuration.snapshotEvery = max(2, count)
        case .words:
            configuration.fourLetterWords = words(entry)
        case .superDigest:
            guard entry.value.contains(":") else {
                // The value is as good as a password: no message may carry it.
                throw bad(entry, "must look like USER:BASE64-OF-SHA-1", hidingValue: true)
            }
            configuration.superDigest = entry.value
        case .digestAlgorithm:
            guard ["SHA1", "SHA-1"].contains(entry.value.uppercased()) else { throw bad(entry, "must be SHA1") }
        case .neverUsedContainers:
            configuration.containerMaximumNeverUsedMilliseconds =
                Int64(try number(entry, in: 0...Int.max, unit: "milliseconds, 0 for never"))
        }
    }

    private static let anyInt32 = Int(Int32.min)...Int(Int32.max)
    /// As many as can be expressed in bytes.
    private static let anyKibibytes = -1...(Int.max >> 10)

    private func number(
        _ entry: Properties.Entry, in range: ClosedRange<Int>, unit: String
    ) throws(ZooKeeperError) -> Int {
        guard let value = Int(entry.value), range.contains(value) else {
            let bounds = range == Self.anyInt32 ? "" : " from \(range.lowerBound) to \(range.upperBound)"
            throw bad(entry, "must be a whole number\(bounds) (\(unit))")
        }
        return value
    }

    private func flag(_ entry: Properties.Entry, _ values: [String: Bool]) throws(ZooKeeperError) -> Bool {
        guard let value = values[entry.value.lowercased()] else {
            throw bad(entry, values.count == 2 ? "must be true or false" : "must be yes or no")
        }
        return value
    }

    private func interval(_ entry: Properties.Entry) throws(ZooKeeperError) -> Int {
        let units: [Character: Int] = ["d": 86_400, "h": 3600, "m": 60, "s": 1]
        let unit = entry.value.last.flatMap { units[$0] }
        let digits = unit == nil ? entry.value[...] : entry.value.dropLast()
        guard let count = Int(digits), (0...Int(Int32.max)).contains(count) else {
            throw bad(entry, "must be a number of hours, or a number with d, h, m or s; 0 for never")
        }
        return count * (unit ?? 3600)
    }

    private mutating func words(_ entry: Properties.Entry) -> ServerConfiguration.FourLetterWords {
        let words = entry.value.split(separator: ",").map { String($0.filter { !$0.isWhitespace }) }
        if words.contains("*") { return .all }
        for word in words where word.utf8.count != 4 {
            warn(entry.line, "\(entry.key): \"\(word)\" is no word of four letters")
        }
        return .only(Set(words))
    }

    /// A few keys of ensembles decide whether this is one.
    private func checkIgnored(_ entry: Properties.Entry) throws(ZooKeeperError) {
        switch entry.key {
        case "standaloneEnabled":
            guard try flag(entry, ["true": true, "false": false]) else { throw bad(entry, ConfigurationKey.ensembles) }
        case "electionAlg":
            guard entry.value == "3" else { throw bad(entry, "must be 3") }
        case "initLimit", "syncLimit":
            _ = try number(entry, in: 0...Int(Int32.max), unit: "ticks")
        default: break
        }
    }

    private mutating func takeServer(_ entry: Properties.Entry) throws(ZooKeeperError) {
        do {
            let server = try ServerLine(id: String(entry.key.dropFirst("server.".count)), value: entry.value)
            servers.removeAll { $0.server.id == server.id }
            servers.append((entry.line, server))
        } catch {
            throw bad(entry, error.message)
        }
    }

    private mutating func applyServerList() throws(ZooKeeperError) {
        guard let first = servers.first else { return }
        guard servers.count == 1 else {
            let text = "\(servers.count) servers are listed (server.N), but " + ConfigurationKey.ensembles
            throw ZooKeeperError(.badConfiguration, message: "\(file):\(servers[1].line): \(text)")
        }
        guard first.server.role == .participant else {
            let text = "server.\(first.server.id): an observer needs voters, but " + ConfigurationKey.ensembles
            throw ZooKeeperError(.badConfiguration, message: "\(file):\(first.line): \(text)")
        }
        guard let port = first.server.clientPort else { return }
        if let line = lines["clientPort"], configuration.clientPort != port {
            let text = "the client port \(port) contradicts clientPort=\(configuration.clientPort) in line \(line)"
            throw ZooKeeperError(
                .badConfiguration, message: "\(file):\(first.line): server.\(first.server.id): \(text)")
        }
        configuration.clientPort = port
        guard let host = first.server.clientHost else { return }
        if let line = lines["clientPortAddress"], configuration.clientAddress != host {
            let text = "the client address \(host) contradicts clientPortAddress=\(configuration.clientAddress)"
            throw ZooKeeperError(
                .badConfiguration, message: "\(file):\(first.line): server.\(first.server.id): \(text) in line \(line)")
        }
        configuration.clientAddress = host
    }

    private func line(of key: String) -> Int { lines[key] ?? lines["zookeeper." + key] ?? 0 }

    private mutating func warn(_ line: Int, _ sentence: String) {
        warnings.append("\(file):\(line): \(sentence)")
    }

    private func bad(
        _ entry: Properties.Entry, _ sentence: String, hidingValue: Bool = false
    ) -> ZooKeeperError {
        let value = hidingValue ? "(hidden)" : entry.value
        return ZooKeeperError(
            .badConfiguration, message: "\(file):\(entry.line): \(entry.key)=\(value): \(sentence)")
    }

    private func missing(_ key: String, _ meaning: String) -> ZooKeeperError {
        ZooKeeperError(.badConfiguration, message: "\(file): \(key) is missing: \(meaning)")
    }
}

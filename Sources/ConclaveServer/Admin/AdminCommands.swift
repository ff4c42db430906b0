import ConclaveCore
import ConclaveNode
import ConclaveTree

/// The four-letter words.
///
/// Source: wire-protocol, section 13, and the output of a running 3.8.0 server. Lines end with LF unless said otherwise.
enum AdminCommands {
    /// Every word that is recognised on a fresh connection. Words that need what this server does not have (trace masks,
    /// digest history) are not among them, so they are taken for the length of a frame.
    static let words: Set<String> = [
        "ruok", "srvr", "stat", "mntr", "conf", "cons", "envi", "isro", "wchs", "wchc", "wchp", "dump", "dirs", "crst",
        "srst",
    ]

    /// Carries out a word.
    /// - Parameter asking: the connection that sent it.
    static func answer(_ word: String, from asking: ConnectionID, machine: inout ServerMachine, facts: AdminFacts)
        -> String
    {
        guard facts.allows(word) else {
            return "\(word) is not executed because it is not in the whitelist.\n"
        }
        if !facts.isServing(machine), !["ruok", "isro", "conf", "envi"].contains(word) {
            return "This ZooKeeper instance is not currently serving requests\n"
        }
        switch word {
        case "ruok": return "imok"
        case "isro": return machine.role == .readOnly ? "ro" : facts.isServing(machine) ? "rw" : "null"
        case "srvr": return serverStatistics(machine, facts, clients: nil)
        case "stat": return serverStatistics(machine, facts, clients: machine.connectionReports())
        case "cons": return machine.connectionReports().map { fullLine($0, facts) + "\n" }.joined() + "\n"
        case "crst":
            machine.resetConnectionStatistics()
            return "Connection stats reset.\n"
        case "srst":
            machine.resetServerStatistics()
            return "Server stats reset.\n"
        case "conf": return configuration(facts)
        case "envi":
            return "Environment:\n" + facts.environment.map { "\($0.key)=\($0.value)\n" }.joined()
        case "dirs": return "datadir_size: \(facts.snapshotBytes)\nlogdir_size: \(facts.logBytes)\n"
        case "wchs":
            let summary = machine.watchSummary()
            return "\(summary.watchers) connections watching \(summary.paths) paths\nTotal watches:\(summary.watches)\n"
        case "wchc": return watchesByConnection(machine)
        case "wchp": return watchesByPath(machine)
        case "dump": return dump(machine, facts)
        case "mntr": return monitor(machine, facts)
        default: return ""
        }
    }

    // MARK: Connections

    /// Address, readiness and counters; ` /127.0.0.1:5000[1](queued=0,recved=3,sent=3)`.
    static func briefLine(_ report: ConnectionReport) -> String { " /\(report.peer)" + counters(report) + ")" }

    private static func counters(_ report: ConnectionReport) -> String {
        "[\(String(report.interest, radix: 16))](queued=\(report.outstanding),"
            + "recved=\(report.statistics.received),sent=\(report.statistics.sent)"
    }

    private static func fullLine(_ report: ConnectionReport, _ facts: AdminFacts) -> String {
        guard let session = report.session else { return briefLine(report) }
        let statistics = report.statistics
        var line = " /\(report.peer)" + counters(report)
        line += ",sid=\(session),lop=\(statistics.lastOperation),est=\(report.established.milliseconds)"
        line += ",to=\(report.sessionTimeoutMilliseconds)"
        if statistics.lastXid >= 0 { line += ",lcxid=0x\(String(statistics.lastXid, radix: 16))" }
        line += ",lzxid=\(statistics.lastZxid),lresp=\(statistics.lastResponse.milliseconds)"
        line += ",llat=\(statistics.lastLatencyMilliseconds),minlat=\(statistics.latency.minimum)"
        line += ",avglat=\(Int64(statistics.latency.average)),maxlat=\(statistics.latency.maximum))"
        return line
    }

    // MARK: Configuration and watches

    private static func configuration(_ facts: AdminFacts) -> String {
        let configuration = facts.configuration
        let timeouts = configuration.sessionTimeoutMilliseconds
        let lines: [(String, String)] = [
            ("clientPort", "\(facts.port)"), ("secureClientPort", "-1"),
            ("dataDir", configuration.dataDirectory + "/version-2"), ("dataDirSize", "\(facts.snapshotBytes)"),
            ("dataLogDir", configuration.logDirectory + "/version-2"), ("dataLogSize", "\(facts.logBytes)"),
            ("tickTime", "\(configuration.tickTimeMilliseconds)"),
            ("maxClientCnxns", "\(configuration.maximumConnectionsPerAddress)"),
            ("minSessionTimeout", "\(timeouts.lowerBound)"), ("maxSessionTimeout", "\(timeouts.upperBound)"),
            ("clientPortListenBacklog", "\(configuration.listenBacklog ?? -1)"),
            ("serverId", "\(facts.ensemble?.myID.rawValue ?? 0)"),
        ]
        return lines.map { "\($0)=\($1)\n" }.joined() + (facts.ensemble.map { ensemble($0) } ?? "")
    }

    private static func watchesByConnection(_ machine: ServerMachine) -> String {
        var text = ""
        for (connection, paths) in machine.watchesByConnection() {
            guard let session = machine.session(of: connection) else { continue }
            text += "\(session)\n" + paths.map { "\t\($0)\n" }.joined()
        }
        return text + "\n"
    }

    private static func watchesByPath(_ machine: ServerMachine) -> String {
        var text = ""
        for (path, connections) in machine.watchesByPath() {
            text += "\(path)\n"
            for connection in connections {
                if let session = machine.session(of: connection) { text += "\t\(session)\n" }
            }
        }
        return text + "\n"
    }

    // MARK: Sessions

    /// A learner knows which global sessions there are, and only their leader when they end; about local ones their server.
    private static func sessions(_ machine: ServerMachine, _ facts: AdminFacts) -> String {
        let hasLocal = machine.makesLocalSessions
        let local = hasLocal ? sets("Local Session Sets", machine.localSessionExpiries(), facts) : ""
        switch machine.role {
        case .follower, .observer, .readOnly:
            let sessions = machine.tree.sessions.sorted { $0.key < $1.key }
            return local + "Global Sessions(\(sessions.count)):\n"
                + sessions.map { "\($0.key)\t\($0.value)ms\n" }.joined()
        case .standalone, .leader, .none:
            return local + sets(hasLocal ? "Global Session Sets" : "Session Sets", machine.sessionExpiries(), facts)
        }
    }

    private static func sets(
        _ title: String, _ buckets: [(deadline: Instant, sessions: [SessionID])], _ facts: AdminFacts
    ) -> String {
        let count = buckets.reduce(0) { $0 + $1.sessions.count }
        var text = "\(title) (\(buckets.count))/(\(count)):\n"
        for bucket in buckets {
            let date = DateText.format(milliseconds: facts.wallMilliseconds(of: bucket.deadline))
            text += "\(bucket.sessions.count) expire at \(date):\n"
            text += bucket.sessions.map { "\t\($0)\n" }.joined()
        }
        return text
    }

    private static func dump(_ machine: ServerMachine, _ facts: AdminFacts) -> String {
        var text = "SessionTracker dump:\n" + sessions(machine, facts)
        let owners = machine.ephemeralsBySession()
        text += "ephemeral nodes dump:\nSessions with Ephemerals (\(owners.count)):\n"
        for (session, paths) in owners {
            text += "\(session):\n" + paths.map { "\t\($0)\n" }.joined()
        }
        return text + connectionsDump(machine, facts)
    }

    /// Connections by the moment at which they are closed if nothing comes: here, when their session expires.
    private static func connectionsDump(_ machine: ServerMachine, _ facts: AdminFacts) -> String {
        let reports = machine.connectionReports()
        let deadlines = Dictionary(
            (machine.sessionExpiries() + machine.localSessionExpiries()).flatMap { bucket in
                bucket.sessions.map { ($0, bucket.deadline) }
            },
            uniquingKeysWith: { first, _ in first })
        let fallback = facts.now.advanced(byMilliseconds: Int64(facts.configuration.sessionlessTimeoutMilliseconds))
        let sets = Dictionary(grouping: reports) { report in
            report.session.flatMap { deadlines[$0] } ?? fallback
        }
        var text = "Connections dump:\nConnections Sets (\(sets.count))/(\(reports.count)):\n"
        for (deadline, members) in sets.sorted(by: { $0.key < $1.key }) {
            let date = DateText.format(milliseconds: facts.wallMilliseconds(of: deadline))
            text += "\(members.count) expire at \(date):\n"
            for member in members.sorted(by: { $0.id < $1.id }) {
                text += "\tip: /\(member.peer) sessionId: \(member.session ?? .none)\n"
            }
        }
        return text
    }
}

/// Dates as Java prints them: `Sat Nov 21 04:07:50 UTC 2026`.
enum DateText {
    static func format(milliseconds: Int64) -> String {
        let seconds = milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
        var days = seconds / 86_400
        var rest = seconds % 86_400
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        let weekday = Int(((days + 4) % 7 + 7) % 7)
        let (year, month, day) = civil(days: days)
        let names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let time = [rest / 3600, rest / 60 % 60, rest % 60].map(pad).joined(separator: ":")
        return "\(names[weekday]) \(months[month - 1]) \(pad(Int64(day))) \(time) UTC \(year)"
    }

    private static func pad(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// Year, month and day of a number of days since 1970-01-01 in the Gregorian calendar, by counting 400-year cycles that
    /// begin on the first of March.
    private static func civil(days: Int64) -> (year: Int64, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5) + 1
        let month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

import ConclaveCore
import ConclaveSystem

/// What `conclave quorum` asks for.
package enum QuorumAction: Equatable, Sendable {
    case start(Int)
    /// ``QuorumMachine/delayPassed(_:)`` follows.
    case startLater(Int, milliseconds: Int64)
    case signal(Int, Signal)
    /// ``QuorumMachine/graceOver(_:)`` follows.
    case limitGrace(stage: Int, milliseconds: Int64)
    /// A sentence for the user.
    case tell(String)
    case warn(String)
    /// Everybody serves for the first time.
    case announce
    /// All processes have ended: so may the tool. The text says why it has failed.
    case finish(failure: String?)
}

/// Looks after the servers of `conclave quorum`: a machine that is told what its processes do, and says what is to be done.
///
/// ```
///   starting ─ all serve ─▶ running ─ interrupted, or nobody left ─▶ stopping ─ all ended ─▶ finish
///       └── one ended: failure ─────────────────────────────────────────▲
/// ```
///
/// Stopping goes in stages, so that nobody is elected for nothing: observers, then followers, then the leader.
package struct QuorumMachine: Sendable {
    package enum Phase: Equatable, Sendable { case starting, running, stopping }

    private struct Server: Sendable {
        let id: Int
        let isObserver: Bool
        var process: Int32?
        var startedAt = Instant.start
        var serves = false
        /// Ends in a row that came soon after the start.
        var earlyEnds = 0
        var isAwaitingRestart = false
    }

    /// A process that ends sooner has not really run.
    package static let earlyMilliseconds: Int64 = 10_000
    /// After so many early ends in a row a server stays down.
    package static let earlyEndLimit = 5
    /// How long processes may take to end by themselves.
    package static let graceMilliseconds: Int64 = 10_000

    package private(set) var phase = Phase.starting
    package private(set) var leader: Int?
    private var servers: [Server]
    private let restarts: Bool
    private var actions: [QuorumAction] = []
    private var failure: String?
    private var stage = 0
    private var hasHinted = false
    private var isFinished = false

    /// - Parameter restarts: whether a server that has ended is started again.
    package init(_ plan: QuorumPlan, restarts: Bool) {
        servers = plan.members.map { Server(id: $0.id, isObserver: $0.isObserver) }
        self.restarts = restarts
        for server in servers { actions.append(.start(server.id)) }
    }

    package mutating func takeActions() -> [QuorumAction] {
        defer { actions = [] }
        return actions
    }

    package var hasActions: Bool { !actions.isEmpty }

    /// How the start is going; `nil` once it is over.
    package var progress: String? {
        guard phase == .starting else { return nil }
        return "\(servers.count(where: \.serves)) of \(servers.count) servers serve"
    }

    // MARK: Events

    package mutating func started(_ id: Int, process: Int32, now: Instant) {
        change(id) { server in
            server.process = process
            server.startedAt = now
        }
    }

    /// It could not even be started.
    package mutating func startFailed(_ id: Int, _ reason: String) {
        fail("server \(id): \(reason)")
    }

    /// A server has written a line.
    package mutating func wrote(_ id: Int, _ line: String) {
        guard let index = index(of: id), servers[index].process != nil, phase != .stopping else { return }
        if let address = line.rest(after: "serving clients on ") {
            servers[index].serves = true
            tell(
                "server \(id)\(role(of: servers[index])) serves on \(address) (process \(servers[index].process ?? 0))")
            guard phase == .starting, servers.allSatisfy(\.serves) else { return }
            phase = .running
            actions.append(.announce)
        } else if line.endsInNumber(after: "leads epoch ") {
            leader = id
            tell("server \(id) leads")
        }
    }

    /// A process has ended.
    /// - Parameter lastLines: what it wrote last.
    package mutating func ended(_ id: Int, _ status: ExitStatus, lastLines: [String], now: Instant) {
        guard let index = index(of: id), let process = servers[index].process else { return }
        let lived = now.milliseconds(since: servers[index].startedAt)
        servers[index].process = nil
        servers[index].serves = false
        if leader == id { leader = nil }
        switch phase {
        case .starting:
            for line in lastLines { actions.append(.warn("  " + line)) }
            fail("server \(id) \(Self.text(status)) before it served")
        case .running:
            warn("server \(id) (process \(process)) \(Self.text(status))" + consequence())
            restart(index, lived: lived)
        case .stopping: nextStage()
        }
    }

    package mutating func delayPassed(_ id: Int) {
        guard phase == .running, let index = index(of: id), servers[index].isAwaitingRestart else { return }
        servers[index].isAwaitingRestart = false
        actions.append(.start(id))
    }

    /// The user wants it to end; the second time at once.
    package mutating func interrupted() {
        guard phase == .stopping else { return stop() }
        stage += 1
        for server in servers where server.process != nil { actions.append(.signal(server.id, .kill)) }
    }

    package mutating func graceOver(_ stage: Int) {
        guard phase == .stopping, stage == self.stage else { return }
        for server in servers where server.process != nil && isDue(server) {
            warn("server \(server.id) does not end and is killed")
            actions.append(.signal(server.id, .kill))
        }
    }

    // MARK: Parts

    private mutating func restart(_ index: Int, lived: Int64) {
        let isEarly = lived < Self.earlyMilliseconds
        servers[index].earlyEnds = isEarly ? servers[index].earlyEnds + 1 : 0
        let (id, count) = (servers[index].id, servers[index].earlyEnds)
        guard restarts else { return endIfAlone() }
        guard count < Self.earlyEndLimit else {
            warn("server \(id) has ended \(count) times soon after its start: it stays down")
            return endIfAlone()
        }
        servers[index].isAwaitingRestart = true
        tell("server \(id) is started again")
        // At once after a long life; then half a second, one, two and four.
        actions.append(.startLater(id, milliseconds: count == 0 ? 0 : 250 << Int64(count)))
    }

    private mutating func endIfAlone() {
        guard servers.allSatisfy({ $0.process == nil && !$0.isAwaitingRestart }) else { return }
        fail("no server is left")
    }

    /// What the end of a server means for the others.
    private mutating func consequence() -> String {
        let voters = servers.filter { !$0.isObserver }
        let alive = voters.count { $0.process != nil }
        var text = alive > voters.count / 2 ? "" : "; \(alive) of \(voters.count) voting servers are too few to serve"
        if !restarts, !hasHinted { text += "; with --restart it would be started again" }
        hasHinted = true
        return text
    }

    private mutating func fail(_ reason: String) {
        failure = failure ?? reason
        if phase != .stopping { stop() }
    }

    private mutating func stop() {
        phase = .stopping
        stage = 0
        nextStage()
    }

    /// Ends those whose turn it is, once their predecessors have ended.
    private mutating func nextStage() {
        guard !isFinished else { return }
        guard servers.contains(where: { $0.process != nil }) else {
            isFinished = true
            return actions.append(.finish(failure: failure))
        }
        func isAwaited(_ server: Server) -> Bool { server.process != nil && isDue(server) }
        guard !servers.contains(where: isAwaited) else { return }
        // Somebody is left, so some stage has somebody.
        while !servers.contains(where: isAwaited) { stage += 1 }
        for server in servers where isAwaited(server) {
            actions.append(.signal(server.id, .terminate))
        }
        actions.append(.limitGrace(stage: stage, milliseconds: Self.graceMilliseconds))
    }

    /// Observers in the first stage, followers in the second, the leader in the third.
    private func turn(of server: Server) -> Int { server.isObserver ? 1 : server.id == leader ? 3 : 2 }

    /// Whether its turn to end has come.
    private func isDue(_ server: Server) -> Bool { turn(of: server) <= stage }

    private func role(of server: Server) -> String { server.isObserver ? ", an observer," : "" }

    private func index(of id: Int) -> Int? { servers.firstIndex { $0.id == id } }

    private mutating func change(_ id: Int, _ body: (inout Server) -> Void) {
        if let index = index(of: id) { body(&servers[index]) }
    }

    private mutating func tell(_ text: String) { actions.append(.tell(text)) }
    private mutating func warn(_ text: String) { actions.append(.warn(text)) }

    private static func text(_ status: ExitStatus) -> String {
        switch status {
        case .exited(let code): "ended with status \(code)"
        case .signalled(let signal): "was ended by \(signal)"
        }
    }
}

extension String {
    /// What stands behind a word at the beginning.
    fileprivate func rest(after word: String) -> Substring? { hasPrefix(word) ? dropFirst(word.count) : nil }

    /// Whether it ends with a word and a number.
    fileprivate func endsInNumber(after word: String) -> Bool {
        let number = reversed().prefix { $0.isASCII && $0.isNumber }
        return !number.isEmpty && dropLast(number.count).hasSuffix(word)
    }
}

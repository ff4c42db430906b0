import ConclaveConsensus
public import ConclaveCore
import ConclaveNode
import ConclaveSystem

/// An ensemble inside this process, for tests and development: servers with threads, sockets on loopback and data directories of
/// their own, and faults on demand.
///
/// ```swift
/// let quorum = try await LocalQuorum.start(servers: 3)
/// let client = try await ZooKeeperClient.connect(to: quorum.connectString)
///
/// let leader = try await quorum.untilLeader()
/// try await quorum.kill(leader)                       // the client goes on with the same session
/// try await quorum.restart(leader)
/// try await quorum.untilServing()
///
/// await client.close()
/// await quorum.stop()
/// ```
///
/// Servers that vote have the ids 1, 2, 3 …, observers the ids behind. Everything is as in separate processes: elections, the
/// protocol between servers, logs and snapshots on disk. A tick has 100 ms; a silent server counts as dead after two seconds;
/// session time-outs go from a fifth of a second to a minute.
///
/// Faults are in `LocalQuorum+Faults`: ``kill(_:)``, ``restart(_:)``, ``pause(_:)``, ``partition(_:from:)`` and others. All of them may
/// be called by several tasks. A quorum that is dropped without ``stop()`` goes on running.
public final class LocalQuorum: Sendable {
    /// The most servers that one may have, observers included.
    public static let maximumServers = 99

    let board: LocalBoard
    private let ensemble: EnsembleConfiguration
    private let modes: Modes
    private let configure: @Sendable (inout ServerConfiguration) -> Void
    private let log: any EventSink
    private let temporary: TemporaryDirectory?

    /// Starts servers; returns when all of them serve clients.
    ///
    /// - Parameters:
    ///   - servers: how many servers vote; 1 to ``maximumServers``. One alone is an ensemble too, with an election.
    ///   - observers: how many servers follow without a vote.
    ///   - modes: what is off by default.
    ///   - dataDirectory: where server N keeps its data in a folder `N`, which stays; `nil` for a temporary directory that
    ///     ``stop()`` removes.
    ///   - configure: changes the configuration of every server. Ports, address and place in the ensemble are set afterwards.
    /// - Throws: `.badArguments` for other numbers of servers, `.cancelled`, and as ``ZooKeeperServer/start(_:)``. Nothing is left
    ///   running then.
    public static func start(
        servers: Int = 3, observers: Int = 0, modes: Modes = [], dataDirectory: String? = nil,
        configure: @escaping @Sendable (inout ServerConfiguration) -> Void = { _ in }
    ) async throws(ZooKeeperError) -> LocalQuorum {
        try await start(
            servers: servers, observers: observers, modes: modes, dataDirectory: dataDirectory,
            configure: configure, log: SilentSink())
    }

    /// As the other one, with somewhere for the log events of all servers to go.
    package static func start(
        servers: Int = 3, observers: Int = 0, modes: Modes = [], dataDirectory: String? = nil,
        configure: @escaping @Sendable (inout ServerConfiguration) -> Void = { _ in }, log: any EventSink
    ) async throws(ZooKeeperError) -> LocalQuorum {
        guard servers >= 1, observers >= 0, servers <= maximumServers, servers + observers <= maximumServers else {
            throw ZooKeeperError(
                .badArguments,
                message: "a local quorum has 1 to \(maximumServers) servers, not \(servers) and \(observers) observers")
        }
        let temporary: TemporaryDirectory?
        do throws(SystemError) {
            temporary = dataDirectory == nil ? try TemporaryDirectory(prefix: "conclave-quorum") : nil
        } catch {
            throw ZooKeeperError(.storageFailure, message: "cannot make a temporary directory: \(error)")
        }
        // One of the two is there.
        let quorum: LocalQuorum
        do throws(ZooKeeperError) {
            let directory = dataDirectory ?? temporary?.path ?? ""
            quorum = try LocalQuorum(servers, observers, modes, in: directory, temporary, configure, log)
        } catch {
            temporary?.remove()
            throw error
        }
        do throws(ZooKeeperError) {
            try await quorum.restartAll()
            try await quorum.untilServing()
            return quorum
        } catch {
            await quorum.stop()
            throw error
        }
    }

    private init(
        _ servers: Int, _ observers: Int, _ modes: Modes, in directory: String, _ temporary: TemporaryDirectory?,
        _ configure: @escaping @Sendable (inout ServerConfiguration) -> Void, _ log: any EventSink
    ) throws(ZooKeeperError) {
        var members: [LocalMember] = []
        for number in 1...servers + observers {
            do throws(SystemError) {
                members.append(
                    LocalMember(
                        id: ServerID(rawValue: Int64(number)), kind: number <= servers ? .participant : .observer,
                        ports: try LocalMember.Ports(), directory: "\(directory)/\(number)"))
            } catch {
                throw ZooKeeperError(.systemError, message: "cannot reserve a port of loopback", underlying: error)
            }
        }
        do throws(EnsembleConfigurationError) {
            ensemble = try EnsembleConfiguration(members: members.map(\.line))
        } catch {
            throw ZooKeeperError(.badConfiguration, message: "\(error)")
        }
        board = LocalBoard(members)
        self.modes = modes
        self.configure = configure
        self.log = log
        self.temporary = temporary
    }

    // MARK: Who is there

    /// What clients connect to: all servers, whether they run or not.
    public var connectString: String { board.now.members.map(\.connectString).joined(separator: ",") }

    /// What clients connect to that want one server only.
    /// - Throws: `.badArguments` if there is no such server.
    public func connectString(of id: ServerID) throws(ZooKeeperError) -> String { try member(id).connectString }

    /// The ids of all servers, observers last.
    public var servers: [ServerID] { board.now.members.map(\.id) }

    /// The ids of those that run, whether they stand still or not.
    public var running: [ServerID] { board.now.members.filter { $0.server != nil }.map(\.id) }

    /// Whether a server serves clients at the moment.
    /// - Throws: `.badArguments` if there is no such server.
    public func isServing(_ id: ServerID) throws(ZooKeeperError) -> Bool {
        try member(id).serves
    }

    /// Who leads; `nil` while there is none.
    ///
    /// A leader that stands still or is cut off goes on being the one until another has been elected.
    public var leader: ServerID? { board.now.leader }

    /// Returns when one of the servers leads.
    ///
    /// - Parameter former: a server that does not count, for instance because it has just been paused.
    /// - Throws: `.cancelled`.
    public func untilLeader(otherThan former: ServerID? = nil) async throws(ZooKeeperError) -> ServerID {
        try await board.until { state in
            guard let leader = state.leader, leader != former else { return nil }
            return leader
        }
    }

    /// Returns when every server that runs, and does not stand still, serves clients, and all of them follow one leader. Without
    /// a quorum that is never.
    ///
    /// - Throws: `.cancelled`; the error that ended a server, as ``ZooKeeperServer/untilStopped()``.
    public func untilServing() async throws(ZooKeeperError) {
        while true {
            let seen = try await board.until { state -> LocalBoard.State? in
                let running = state.members.filter(\.isRunning)
                let isReady = running.allSatisfy(\.serves) && running.count(where: \.leads) == 1
                return isReady || running.isEmpty || running.contains { $0.role == nil } ? state : nil
            }
            var epochs: Set<Int64> = []
            for member in seen.members {
                guard case .running(let server) = member.phase else { continue }
                // Without a role it has ended; unless somebody asked for that, there is an error.
                if member.role == nil { try await server.untilStopped() }
                if let epoch = await server.epoch() { epochs.insert(epoch) }
            }
            if epochs.count < 2 { return }
            // Somebody has not noticed yet that another leads, but will.
            _ = try await board.until { $0.serial != seen.serial ? true : nil }
        }
    }

    /// Returns when a server serves no clients, because it is down, looks for a leader or catches up with one.
    ///
    /// - Throws: `.badArguments` if there is no such server, `.cancelled`.
    public func untilNotServing(_ id: ServerID) async throws(ZooKeeperError) {
        _ = try member(id)
        _ = try await board.until { state -> Bool? in
            state.members.contains { $0.id == id && $0.serves } ? nil : true
        }
    }

    /// Stops all servers in an orderly way, also those that stand still, and removes a temporary directory. May be called
    /// repeatedly. Not affected by cancellation.
    public func stop() async {
        board.change { $0.isStopped = true }
        await withTaskGroup(of: Void.self) { group in
            for member in board.now.members {
                guard let server = member.server else { continue }
                group.addTask {
                    server.resume()
                    await server.stop()
                    self.board.change { state in state.setDown(member.id) }
                }
            }
        }
        // Those that were being started find out that they are not wanted. In a task of its own, which nobody cancels.
        await Task { [board] in
            _ = try? await board.until { state -> Bool? in
                for case .starting in state.members.map(\.phase) { return nil }
                return true
            }
        }.value
        temporary?.remove()
    }

    // MARK: Starting

    /// Starts a server that is down.
    func launch(_ id: ServerID) async throws(ZooKeeperError) {
        let (member, severed) = try board.change { state throws(ZooKeeperError) in
            guard let index = state.index(of: id) else { throw LocalQuorum.unknown(id) }
            guard case .down = state.members[index].phase, !state.isStopped else {
                throw ZooKeeperError(.badArguments, message: "server \(id) runs already, or the quorum was stopped")
            }
            state.members[index].phase = .starting
            state.members[index].role = ServingRole.none
            return (state.members[index], state.severedPorts(of: id))
        }
        do throws(ZooKeeperError) {
            var seams = Starter.Seams(log: ServerSink(id: id, base: log))
            seams.sockets = try Self.sockets(member)
            seams.onRole = { [board] role in board.set(role, of: id) }
            seams.severed = severed
            let server = try await ZooKeeperServer.start(configuration(member), seams)
            let isLate = board.change { state in
                state.change(id) { $0.phase = .running(server) }
                return state.isStopped
            }
            if isLate {
                await server.stop()
                board.change { $0.setDown(id) }
                throw ZooKeeperError(.cancelled, message: "the quorum was stopped")
            }
            // The world may have been cut differently meanwhile.
            await server.sever(from: board.now.severedPorts(of: id))
        } catch {
            board.change { $0.setDown(id) }
            throw error
        }
    }

    private static func sockets(_ member: LocalMember) throws(ZooKeeperError) -> Sockets {
        do throws(SystemError) {
            return try member.ports.listen()
        } catch {
            throw ZooKeeperError(.systemError, message: "server \(member.id) cannot listen", underlying: error)
        }
    }

    private func configuration(_ member: LocalMember) -> ServerConfiguration {
        var configuration = ServerConfiguration.temporary(dataDirectory: member.directory)
        // Reserving much for little only keeps the disk busy.
        configuration.preallocateBytes = 64 << 10
        var settings = EnsembleSettings(configuration: ensemble, myID: member.id)
        settings.initLimitTicks = 100
        settings.syncLimitTicks = 20
        // Who was elected by a server that is gone now must not keep the others waiting.
        settings.epochWaitMilliseconds = 500
        modes.apply(to: &settings)
        configuration.ensemble = settings
        configure(&configuration)
        configuration.clientAddress = ServerConfiguration.loopback
        configuration.clientPort = Int(member.ports.clients.number)
        configuration.ensemble?.configuration = ensemble
        configuration.ensemble?.myID = member.id
        return configuration
    }

    func member(_ id: ServerID) throws(ZooKeeperError) -> LocalMember {
        let state = board.now
        guard let index = state.index(of: id) else { throw Self.unknown(id) }
        return state.members[index]
    }

    static func unknown(_ id: ServerID) -> ZooKeeperError {
        ZooKeeperError(.badArguments, message: "there is no server \(id)")
    }
}

extension LocalBoard.State {
    mutating func change(_ id: ServerID, _ body: (inout LocalMember) -> Void) {
        if let index = index(of: id) { body(&members[index]) }
    }

    mutating func setDown(_ id: ServerID) {
        change(id) { member in
            member.phase = .down
            member.role = nil
        }
    }
}

/// Says which server an event is from.
private struct ServerSink: EventSink {
    let id: ServerID
    let base: any EventSink

    func record(_ event: LogEvent) { base.record(LogEvent(event.level, "server \(id): \(event.message)")) }
}

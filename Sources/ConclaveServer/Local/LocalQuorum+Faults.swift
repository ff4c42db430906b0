public import ConclaveCore
import ConclaveNode

/// What can happen to servers.
///
/// Ids that no server has are refused with `.badArguments`; what does not fit (killing who is down, resuming who runs) does nothing
/// unless it says otherwise.
extension LocalQuorum {
    // MARK: Processes

    /// Ends a server without any orderly step, as `kill -9` would: its connections are cut and nothing more reaches its disk,
    /// except for what is being written at this moment. Its data and its ports stay its own. Returns when it is down.
    public func kill(_ id: ServerID) async throws(ZooKeeperError) {
        guard let server = try member(id).server else { return }
        await server.kill()
        board.change { $0.setDown(id) }
    }

    /// Kills all servers at once, as a power failure would whose disks keep what they have been given.
    public func killAll() async {
        await withTaskGroup(of: Void.self) { group in
            // The ids are those of servers.
            for id in servers { group.addTask { try? await self.kill(id) } }
        }
    }

    /// Starts a server again that is down, on its data and its ports.
    ///
    /// Returns when it runs; that it serves takes a quorum, see ``untilServing()``.
    /// - Throws: `.badArguments` if it runs, and as ``ZooKeeperServer/start(_:)``.
    public func restart(_ id: ServerID) async throws(ZooKeeperError) { try await launch(id) }

    /// Starts all servers that are down.
    /// - Throws: as ``restart(_:)``, when all have started or failed; the error of the one with the lowest id.
    public func restartAll() async throws(ZooKeeperError) {
        let down = board.now.members.filter { $0.server == nil }.map(\.id)
        let failures = await withTaskGroup(of: (ServerID, ZooKeeperError?).self) { group in
            for id in down {
                group.addTask {
                    do throws(ZooKeeperError) {
                        try await self.launch(id)
                        return (id, nil)
                    } catch {
                        return (id, error)
                    }
                }
            }
            return await group.reduce(into: [(ServerID, ZooKeeperError)]()) { failures, result in
                if let error = result.1 { failures.append((result.0, error)) }
            }
        }
        if let first = failures.min(by: { $0.0 < $1.0 }) { throw first.1 }
    }

    /// Holds a server up, as `kill -STOP` would: the system takes connections and bytes for it, but it does nothing with them, and
    /// its disk rests. Returns when it stands still.
    public func pause(_ id: ServerID) async throws(ZooKeeperError) {
        guard case .running(let server) = try member(id).phase else { return }
        await server.pause()
        board.change { state in
            state.change(id) { member in
                if case .running(let server) = member.phase { member.phase = .paused(server) }
            }
        }
    }

    /// Lets a server go on that stands still.
    public func resume(_ id: ServerID) throws(ZooKeeperError) {
        guard case .paused(let server) = try member(id).phase else { return }
        board.change { state in
            state.change(id) { member in
                if case .paused(let server) = member.phase { member.phase = .running(server) }
            }
        }
        server.resume()
    }

    // MARK: Network

    /// Cuts servers off from others: their connections are cut and refused until ``heal()``. Clients still reach them all.
    ///
    /// Cuts add up. Connections that a server has dialled which stands still are cut when it goes on.
    /// - Parameter others: who is on the other side; `nil` for all the rest. Who is on both sides keeps its connections to
    ///   itself.
    public func partition(
        _ group: Set<ServerID>, from others: Set<ServerID>? = nil
    ) async throws(ZooKeeperError) {
        for id in group.union(others ?? []).sorted() { _ = try member(id) }
        let others = others ?? Set(servers).subtracting(group)
        board.change { state in
            for one in group {
                for other in others where one != other { state.cuts.insert(LocalBoard.Cut(one, other)) }
            }
        }
        await applyCuts()
    }

    /// Ends all partitions; the servers find each other by themselves.
    public func heal() async {
        board.change { $0.cuts = [] }
        await applyCuts()
    }

    private func applyCuts() async {
        let state = board.now
        for member in state.members {
            let ports = state.severedPorts(of: member.id)
            switch member.phase {
            case .down, .starting: break
            case .running(let server): await server.sever(from: ports)
            case .paused(let server): server.severLater(from: ports)
            }
        }
    }

    /// Cuts the connections of a server's clients, or of all servers' clients. Their sessions live on, and nothing keeps them
    /// from connecting again.
    public func cutClients(of id: ServerID? = nil) async throws(ZooKeeperError) {
        if let id { _ = try member(id) }
        for member in board.now.members where id == nil || member.id == id {
            if case .running(let server) = member.phase { await server.cutClients() }
        }
    }

    // MARK: Sessions

    /// Ends a session as if its time-out had passed, behind its client's back. Returns when the leader has decided so: what the
    /// session owned goes with the next transaction.
    ///
    /// - Throws: `.sessionExpired` if neither the leader knows such a session nor the server that keeps it to itself, `.cancelled`.
    public func expire(_ session: SessionID) async throws(ZooKeeperError) {
        while true {
            let server = try await board.until { state -> ZooKeeperServer? in
                guard let leader = state.leader.flatMap(state.index(of:)),
                    case .running(let server) = state.members[leader].phase
                else { return nil }
                return server
            }
            let answer = await server.expire(session)
            if answer == true { return }
            // One that only its own server knows.
            for case .running(let other) in board.now.members.map(\.phase) where await other.expire(session) == true {
                return
            }
            // Otherwise the server has ceased to lead meanwhile.
            if answer == false { throw ZooKeeperError(.sessionExpired) }
        }
    }

    // MARK: Looking on

    /// How far a server's tree is, and what it holds as one number: servers with the same history have the same.
    package func fingerprint(of id: ServerID) async throws(ZooKeeperError) -> (zxid: Zxid, digest: Int64)? {
        guard case .running(let server) = try member(id).phase else { return nil }
        return await server.fingerprint()
    }
}

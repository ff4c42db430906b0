import ConclaveCore
import ConclaveTree
import ConclaveWire

/// What operators may ask about one connection.
package struct ConnectionReport: Sendable {
    package let id: ConnectionID
    /// Address and port.
    package let peer: String
    /// `nil` before a session exists.
    package let session: SessionID?
    package let sessionTimeoutMilliseconds: Int32
    package let established: WallTime
    package let outstanding: Int
    package let statistics: ConnectionStatistics
    /// Which readiness the connection waits for: 1 to read, 4 to write.
    package let interest: Int
}

/// Questions of four-letter words. None of them changes anything but the counters that are asked to be reset.
extension ServerMachine {
    /// Every open connection, oldest first.
    package func connectionReports() -> [ConnectionReport] {
        slotIndex.sorted { $0.key < $1.key }.map { id, slot in
            let connection = slots[slot]
            return ConnectionReport(
                id: id, peer: connection.peer, session: connection.session,
                sessionTimeoutMilliseconds: connection.sessionTimeoutMilliseconds,
                established: connection.establishedWall, outstanding: connection.outstanding,
                statistics: connection.statistics, interest: connection.isReadingPaused ? 0 : 1)
        }
    }

    /// Requests that wait for their receipt.
    package var outstandingRequests: Int { inFlight.count }

    /// The session that a connection serves.
    package func session(of connection: ConnectionID) -> SessionID? {
        slotIndex[connection].flatMap { slots[$0].session }
    }

    /// Sessions with the moment at which they expire, by moment and id.
    package func sessionExpiries() -> [(deadline: Instant, sessions: [SessionID])] {
        var buckets: [Instant: [SessionID]] = [:]
        for session in tree.sessions.keys {
            if let end = expiry.end(of: session) { buckets[end, default: []].append(session) }
        }
        return buckets.sorted { $0.key < $1.key }.map { ($0.key, $0.value.sorted()) }
    }

    /// The same for the sessions that only this server knows.
    package func localSessionExpiries() -> [(deadline: Instant, sessions: [SessionID])] { local.expiries }

    package var localSessionCount: Int { local.count }

    package func watchSummary() -> WatchTable.Summary { watches.summary }

    package var watchCount: Int { watches.entryCount }

    package func watchesByConnection() -> [(connection: ConnectionID, paths: [NodePath])] {
        watches.pathsByWatcher.map { (ConnectionID(rawValue: $0.watcher), $0.paths) }
    }

    package func watchesByPath() -> [(path: NodePath, connections: [ConnectionID])] {
        watches.watchersByPath.map { ($0.path, $0.watchers.map(ConnectionID.init)) }
    }

    package mutating func resetServerStatistics() { statistics.reset() }

    package mutating func resetConnectionStatistics() {
        for slot in slots.indices { slots[slot].statistics.reset() }
    }

    /// The sessions that own ephemeral nodes, with the paths, sorted.
    package func ephemeralsBySession() -> [(session: SessionID, paths: [NodePath])] {
        tree.sessions.keys.sorted().compactMap { session in
            let paths = tree.ephemerals(of: session)
            return paths.isEmpty ? nil : (session, paths)
        }
    }
}

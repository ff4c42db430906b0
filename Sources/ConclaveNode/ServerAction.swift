import ConclaveCore

/// What the shell must do for the machine, in order.
///
/// Replies and events do not appear here: they wait in the connections' output, see ``ServerMachine/flushable``. Neither do
/// transactions to be logged, see ``ServerMachine/takeProposals()``.
package enum ServerAction: Sendable, Equatable {
    /// Sends what waits for the connection, then closes it.
    case close(ConnectionID, DropReason)
    case pauseReading(ConnectionID)
    case resumeReading(ConnectionID)
    /// A four-letter word came; answer with ``ServerMachine/answer(_:to:)``.
    case command(String, ConnectionID)
    case note(LogEvent)
}

/// Why the server ends a connection.
package enum DropReason: Sendable, Equatable {
    case badFrame(String)
    case badRequest(String)
    case clientIsAhead(client: Zxid, server: Zxid)
    case sessionMoved(SessionID)
    case sessionEnded(SessionID)
    case unknownSession(SessionID)
    case authenticationFailed
    case noSessionInTime
    case unknownOperation(Int32)
    case commandAnswered
    case outputLimit(Int)
    case sessionLimit(Int)
    case notServing
    /// This server leads, and its configuration leaves clients to the others.
    case leaderDoesNotServe
    case onlyReadOnly
    case judgedElsewhere(SessionID)
}

extension DropReason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .badFrame(let detail): "bad frame: " + detail
        case .badRequest(let detail): "bad request: " + detail
        case .clientIsAhead(let client, let server):
            "the client has seen \(client), this server only \(server): it must try another server"
        case .sessionMoved(let session): "session \(session) moved to another connection"
        case .sessionEnded(let session): "session \(session) ended"
        case .unknownSession(let session): "session \(session) is unknown, closing, or its password is wrong"
        case .authenticationFailed: "authentication failed"
        case .noSessionInTime: "no connect request in time"
        case .unknownOperation(let code): "unknown operation \(code)"
        case .commandAnswered: "command answered"
        case .outputLimit(let limit): "more than \(limit) bytes of events wait for a client that does not read"
        case .sessionLimit(let limit): "the limit of \(limit) sessions is reached"
        case .notServing: "this server has no leader at the moment: try another one"
        case .leaderDoesNotServe: "this server leads and serves no clients (leaderServes=no): try another one"
        case .onlyReadOnly: "this server is read-only at the moment, and the client has not asked for that"
        case .judgedElsewhere(let session):
            "this server is read-only at the moment: only one with a leader can tell whether session \(session) lives"
        }
    }
}

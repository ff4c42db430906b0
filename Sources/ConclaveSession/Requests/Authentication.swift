import ConclaveCore

/// The credentials of a session: kept, and proven again on every connection before anything else is asked.
struct Authentication: Sendable {
    private var credentials: [(credential: SessionCredential, waiter: RequestID?)]
    /// Positions of the credentials whose answers are to come on this connection, in order.
    private var inFlight: [Int] = []

    struct Answered: Equatable {
        /// Who waits for it, if anybody does.
        let waiter: RequestID?
    }

    init(_ credentials: [SessionCredential]) {
        self.credentials = credentials.prefix(SessionCredential.limit).map { ($0, nil) }
    }

    /// Adds one for which somebody waits; the same one again is proven again.
    /// - Returns: false if there are too many.
    mutating func add(_ credential: SessionCredential, waiter: RequestID) -> Bool {
        guard credentials.count < SessionCredential.limit else { return false }
        credentials.append((credential, waiter))
        return true
    }

    /// The credentials to send on a new connection.
    mutating func sendAll() -> [SessionCredential] {
        inFlight = Array(credentials.indices)
        return credentials.map(\.credential)
    }

    /// The last one added goes out now.
    mutating func sendLast() { inFlight.append(credentials.count - 1) }

    /// An answer came.
    /// - Returns: `nil` if none was to come.
    mutating func answered() -> Answered? {
        guard !inFlight.isEmpty else { return nil }
        let position = inFlight.removeFirst()
        defer { credentials[position].waiter = nil }
        return Answered(waiter: credentials[position].waiter)
    }

    mutating func connectionLost() { inFlight = [] }

    mutating func forget(_ waiter: RequestID) -> Bool {
        guard let position = credentials.firstIndex(where: { $0.waiter == waiter }) else { return false }
        credentials[position].waiter = nil
        return true
    }

    /// Everybody who waits for an answer; they wait no more.
    mutating func takeWaiters() -> [RequestID] {
        defer { for index in credentials.indices { credentials[index].waiter = nil } }
        return credentials.compactMap(\.waiter)
    }
}

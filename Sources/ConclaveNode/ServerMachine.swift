import ConclaveCore
import ConclaveTree
import ConclaveWire

/// One server as one machine: connections, sessions, request pipeline, tree and watches.
///
/// The shell hands in what happened and when; it then logs ``takeProposals()``, sends what is ``flushable``, performs
/// ``takeActions()``, and reports with ``synced(_:now:wall:)`` what has become durable. Nothing is applied, answered or shown
/// to a reader before its receipt. A standalone server is a quorum of one: its own receipt commits. In an ensemble
/// ``NodeMachine`` decides what is committed, and which ``role`` the server has.
package struct ServerMachine: Sendable {
    /// Bytes waiting for one connection above which no more of its requests are processed.
    static let outputHighWaterBytes = 1 << 20

    package let options: ServerOptions
    package internal(set) var tree: DataTree
    package internal(set) var watches: WatchTable
    package internal(set) var statistics = ServerStatistics()

    package internal(set) var role = ServingRole.standalone
    /// The states between which clients were served, or are: what was applied when that began, and when it last ended.
    package internal(set) var servedFrom = Zxid.zero
    package internal(set) var servedThrough = Zxid.zero
    var learner = LearnerState()
    /// The sessions that only this server knows.
    var local: LocalSessions
    /// At a leader: where each session is connected, once it has written.
    var places: [SessionID: SessionPlace] = [:]
    var expiry: SessionExpiry
    var preparer: Preparer
    var childLists: ChildListCache
    var slots: [ClientConnection] = []
    var slotIndex: [ConnectionID: Int] = [:]
    var freeSlots: [Int] = []
    var connectionSerial: UInt64 = 0
    var connectionOfSession: [SessionID: ConnectionID] = [:]
    var sessionIDs: SessionIDGenerator
    var inFlight = RingBuffer<InFlight>()
    var proposals: [Transaction] = []
    var actions: [ServerAction] = []
    var dirty: [ConnectionID] = []
    var pausedConnections = RingBuffer<ConnectionID>()
    var freshConnections = 0
    var effects = TreeEffects()
    var notifications = WatchNotifications()
    var nextContainerCheck: Instant
    var now: Instant
    var wall: WallTime
    /// Words that the shell answers; anything else in their place is the length of a frame.
    let commandWords: Set<String>

    /// Takes over a tree that recovery has built.
    package init(
        options: ServerOptions, tree: DataTree, commandWords: Set<String>, now: Instant, wall: WallTime
    ) {
        self.options = options
        self.tree = tree
        self.commandWords = commandWords
        self.now = now
        self.wall = wall
        childLists = ChildListCache(limitBytes: options.childListCacheBytes)
        watches = WatchTable(limitPerWatcher: options.watchesPerConnection)
        expiry = SessionExpiry(tickMilliseconds: options.tickMilliseconds)
        local = LocalSessions(tickMilliseconds: options.tickMilliseconds)
        preparer = Preparer(options: options, lastZxid: tree.lastProcessed, digest: tree.digest)
        sessionIDs = SessionIDGenerator(serverID: options.serverID, startMilliseconds: wall.milliseconds)
        nextContainerCheck = now.advanced(byMilliseconds: options.containerCheckMilliseconds)
        for (session, timeout) in tree.sessions.sorted(by: { $0.key < $1.key }) {
            expiry.add(session, timeoutMilliseconds: Int64(timeout), now: now)
        }
        for session in tree.ownersWithoutSession() { proposeCloseSession(session) }
    }

    // MARK: Events

    /// A client has connected. `peer` is address and port as text.
    package mutating func connectionOpened(
        peer: String, peerAddress: String, now: Instant, wall: WallTime
    ) -> ConnectionID {
        advance(now, wall)
        connectionSerial += 1
        let id = ConnectionID(rawValue: connectionSerial)
        let connection = ClientConnection(
            id: id, peer: peer, peerAddress: peerAddress, now: now, wall: wall, options: options)
        if let slot = freeSlots.popLast() {
            slots[slot] = connection
            slotIndex[id] = slot
        } else {
            slotIndex[id] = slots.count
            slots.append(connection)
        }
        freshConnections += 1
        statistics.connections += 1
        return id
    }

    package mutating func received(_ bytes: Span<UInt8>, on id: ConnectionID, now: Instant, wall: WallTime) {
        advance(now, wall)
        guard let slot = slotIndex[id], slots[slot].phase != .closing else { return }
        slots[slot].decoder.append(bytes)
        process(slot)
    }

    /// The connection is gone, whoever ended it. Its session lives on until it expires.
    package mutating func connectionClosed(_ id: ConnectionID, now: Instant, wall: WallTime) {
        advance(now, wall)
        guard let slot = slotIndex.removeValue(forKey: id) else { return }
        if case .fresh = slots[slot].phase { freshConnections -= 1 }
        if let session = slots[slot].session, connectionOfSession[session] == id { connectionOfSession[session] = nil }
        watches.removeAll(of: id.rawValue)
        // A fresh value lets go of the buffers.
        slots[slot] = ClientConnection(
            id: ConnectionID(rawValue: 0), peer: "", peerAddress: "", now: now, wall: wall, options: options)
        slots[slot].phase = .closing
        freeSlots.append(slot)
        statistics.connections -= 1
    }

    /// Everything up to the receipt's zxid survives a crash: apply and answer it.
    package mutating func synced(_ receipt: DurableReceipt, now: Instant, wall: WallTime) {
        advance(now, wall)
        commit(through: receipt.through)
        resumePaused()
    }

    /// Time has passed. To be called at least at ``nextDeadline``; more often does no harm.
    package mutating func tick(now: Instant, wall: WallTime) {
        advance(now, wall)
        if role.isPreparing { endSessions() }
        // Also when nobody is left: who has gone is still filed.
        if let end = local.nextDeadline, end <= now { endLocalSessions() }
        if freshConnections > 0 { closeLateConnections() }
    }

    private mutating func endSessions() {
        for session in expiry.expire(now: now) where !preparer.isClosing(session) {
            statistics.sessionsExpired += 1
            note(.info, "session \(session) expired")
            proposeCloseSession(session)
        }
        if now >= nextContainerCheck { removeExpiredNodes() }
    }

    /// Ends a session as if its time-out had passed.
    /// - Returns: `false` if there is no such session, `nil` if another server decides about it.
    package mutating func expire(_ session: SessionID, now: Instant, wall: WallTime) -> Bool? {
        advance(now, wall)
        if local.contains(session) {
            endLocalSession(session)
            return true
        }
        guard role.isPreparing else { return nil }
        guard tree.sessions[session] != nil else { return false }
        if !preparer.isClosing(session) { proposeCloseSession(session) }
        return true
    }

    /// The output of a connection has been sent on; go on with what it asked for.
    package mutating func outputDrained(_ id: ConnectionID, now: Instant, wall: WallTime) {
        advance(now, wall)
        guard let slot = slotIndex[id] else { return }
        process(slot)
        if slots[slot].isReadingPaused, canProcess(slot) { resumeReading(slot) }
    }

    /// When ``tick(now:wall:)`` has something to do next.
    package var nextDeadline: Instant {
        var deadline = Instant.distantFuture
        if role.isPreparing { deadline = min(nextContainerCheck, expiry.nextDeadline ?? .distantFuture) }
        // Nobody can reach a server that does not serve, so nobody's time runs.
        if role != .none, let end = local.nextDeadline { deadline = min(deadline, end) }
        // On whole seconds, so that the deadline does not move with every event.
        if freshConnections > 0 {
            deadline = min(deadline, Instant(milliseconds: (now.milliseconds / 1000 + 1) * 1000))
        }
        return deadline
    }

    // MARK: Output

    /// Transactions to be logged, in order, since the last call.
    package mutating func takeProposals() -> [Transaction] {
        guard !proposals.isEmpty else { return [] }
        defer { proposals.removeAll(keepingCapacity: true) }
        return proposals
    }

    package var hasProposals: Bool { !proposals.isEmpty }

    package mutating func takeActions() -> [ServerAction] {
        guard !actions.isEmpty else { return [] }
        defer { actions.removeAll(keepingCapacity: true) }
        return actions
    }

    /// Connections with output that has not been taken, in the order in which they got it.
    package mutating func takeFlushable() -> [ConnectionID] {
        guard !dirty.isEmpty else { return [] }
        for id in dirty { if let slot = slotIndex[id] { slots[slot].isDirty = false } }
        defer { dirty.removeAll(keepingCapacity: true) }
        return dirty
    }

    /// Hands over what is to be sent on a connection; nothing for one that is gone.
    package mutating func takeOutput(of id: ConnectionID, _ send: (Span<UInt8>) -> Void) {
        guard let slot = slotIndex[id], slots[slot].output.count > 0 else { return }
        do {
            let bytes = slots[slot].output.bytes
            send(bytes.span)
        }
        // Small buffers are used again; large ones would stay with connections that need them once.
        let keepsMemory = slots[slot].output.bytes.capacity <= 1 << 16
        slots[slot].output.bytes.removeAll(keepingCapacity: keepsMemory)
    }

    /// Hands over the bytes themselves if they are so many that a copy would be felt; `nil` if they are few.
    package mutating func takeLargeOutput(of id: ConnectionID) -> [UInt8]? {
        guard let slot = slotIndex[id], slots[slot].output.count >= Self.largeOutputBytes else { return nil }
        var bytes: [UInt8] = []
        swap(&slots[slot].output.bytes, &bytes)
        return bytes
    }

    private static let largeOutputBytes = 1 << 16

    /// Answers a four-letter word and closes the connection.
    package mutating func answer(_ text: String, to id: ConnectionID) {
        guard let slot = slotIndex[id] else { return }
        slots[slot].output.writeRaw(text.utf8)
        markDirty(slot)
        close(slot, .commandAnswered)
    }

    // MARK: Helpers

    mutating func advance(_ now: Instant, _ wall: WallTime) {
        self.now = max(self.now, now)
        self.wall = wall
    }

    mutating func note(_ level: LogEvent.Level, _ message: String) {
        actions.append(.note(LogEvent(level, message)))
    }

    mutating func markDirty(_ slot: Int) {
        guard !slots[slot].isDirty else { return }
        slots[slot].isDirty = true
        dirty.append(slots[slot].id)
    }

    /// Lets the output go out and then the connection; whatever else arrives on it is dropped.
    mutating func close(_ slot: Int, _ reason: DropReason) {
        guard slots[slot].phase != .closing else { return }
        let id = slots[slot].id
        if case .fresh = slots[slot].phase { freshConnections -= 1 }
        if let session = slots[slot].session, connectionOfSession[session] == id { connectionOfSession[session] = nil }
        slots[slot].phase = .closing
        watches.removeAll(of: id.rawValue)
        actions.append(.close(id, reason))
    }

    private mutating func closeLateConnections() {
        for slot in slots.indices {
            guard case .fresh(let deadline) = slots[slot].phase, deadline <= now else { continue }
            close(slot, .noSessionInTime)
        }
    }

    private mutating func removeExpiredNodes() {
        nextContainerCheck = now.advanced(byMilliseconds: options.containerCheckMilliseconds)
        let candidates = tree.expiredNodes(
            now: wall, neverUsedMilliseconds: options.containerNeverUsedMilliseconds,
            limit: options.containerDeletesPerMinute)
        for path in candidates {
            guard let transaction = preparer.prepareDeleteContainer(path, tree: tree, wall: wall) else { continue }
            propose(transaction, for: .server)
        }
    }
}

/// What `srvr` and `mntr` tell about the server.
package struct ServerStatistics: Sendable {
    package var received: Int64 = 0
    package var sent: Int64 = 0
    package var connections = 0
    package var sessionsExpired: Int64 = 0
    package var authenticationFailures: Int64 = 0
    package var digestMismatches: Int64 = 0
    package var latency = LatencyStatistics()
    package var lastResponseBytes = -1
    package var smallestResponseBytes = -1
    package var largestResponseBytes = -1

    /// What `srst` sets back.
    package mutating func reset() {
        received = 0
        sent = 0
        latency = LatencyStatistics()
    }
}

import ConclaveCore

/// One end of a simulated connection, as the process that holds it knows it; never used again for another.
///
/// ```
/// 63            24 23       1   0
/// │ generation    │ line     │ side │       side 0 dialled, side 1 accepted
/// ```
package struct Link: Hashable, Sendable {
    package let rawValue: UInt64

    init(line: Int, side: Int, generation: UInt32) {
        rawValue = UInt64(generation) << 24 | UInt64(line) << 1 | UInt64(side)
    }

    /// Position among the ends of all lines.
    var end: Int { Int(rawValue & 0xFF_FFFF) }
    var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 24) }
}

extension Link: CustomStringConvertible {
    package var description: String { "\(end >> 1).\(generation)\(end & 1 == 0 ? "→" : "←")" }
}

/// What a server listens on.
package enum Port: UInt8, Sendable, CaseIterable {
    case client, election, quorum
}

/// A connection: two ends, of which one dialled.
struct Line: Sendable {
    var generation: UInt32 = 0
    var port = Port.client
    /// When whoever dialled gives up.
    var dialDeadline: Int64 = 0
}

/// What one side of a connection has and what is on its way to it.
struct LineEnd: Sendable {
    enum State: UInt8, Sendable { case unused, dialling, open, closed }

    /// Bytes that arrive together, or, without any, the end of the connection.
    struct Chunk: Sendable {
        var arrival: Int64
        var bytes: [UInt8]
        var isEnd: Bool
    }

    var state = State.unused
    var process: Int32 = 0
    /// On the way to this end, in order.
    var incoming = RingBuffer<Chunk>()
    var incomingBytes = 0
    /// Nothing that is sent later arrives before this.
    var lastArrival: Int64 = 0
    /// Whether a delivery is in the queue of events.
    var isPlanned = false
    /// Whether a cut keeps back what should have arrived.
    var isBlocked = false
    /// Nothing arrives before this.
    var stalledUntil: Int64 = 0
    /// Whether the other side filled the socket and waits for room.
    var senderWaits = false

    /// Forgets what is on its way.
    mutating func discard() {
        incoming.removeAll()
        incomingBytes = 0
    }
}

import ConclaveCore
import ConclaveSystem
import ConclaveTransport
import Synchronization
import Testing

/// What happened, in order, for tests that wait for it.
final class Log<Event: Sendable>: Sendable {
    private struct State {
        var events: [Event] = []
        var waiters: [(condition: @Sendable ([Event]) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var events: [Event] { state.withLock { $0.events } }

    func append(_ event: Event) {
        let ready = state.withLock { state in
            state.events.append(event)
            // Copying the events for every one of them would take quadratic time.
            guard !state.waiters.isEmpty else { return state.waiters }
            let events = state.events
            let ready = state.waiters.filter { $0.condition(events) }
            state.waiters.removeAll { $0.condition(events) }
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    /// Returns when the events fulfil a condition.
    func wait(until condition: @escaping @Sendable ([Event]) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if condition(state.events) { return true }
                state.waiters.append((condition, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
    }
}

/// Runs a test with a loop that is ended afterwards.
func withLoop(_ body: (EventLoop) async throws -> Void) async throws {
    let loop = try EventLoop(name: "test")
    do {
        try await body(loop)
    } catch {
        loop.shutdown()
        await loop.ended()
        throw error
    }
    loop.shutdown()
    await loop.ended()
}

/// Carries something that lives on a loop to closures that run there and nowhere else.
final class Confined<Value>: @unchecked Sendable {
    var value: Value
    init(_ value: Value) { self.value = value }
}

enum ConnectionEvent: Equatable, Sendable {
    case received(Int)
    case ended
    case drained
    case closed(CloseReason)
}

/// Writes down what a connection tells, and does what a test wants then.
final class Recorder: ConnectionDelegate, Sendable {
    let log = Log<ConnectionEvent>()
    private let onReceive: @Sendable (Connection, [UInt8]) -> Void
    private let onEnd: @Sendable (Connection) -> Void

    init(
        onReceive: @escaping @Sendable (Connection, [UInt8]) -> Void = { _, _ in },
        onEnd: @escaping @Sendable (Connection) -> Void = { $0.finish() }
    ) {
        self.onReceive = onReceive
        self.onEnd = onEnd
    }

    func connection(_ connection: Connection, received bytes: Span<UInt8>) {
        log.append(.received(bytes.count))
        onReceive(connection, bytes.withUnsafeBufferPointer { Array($0) })
    }

    func connectionReachedEnd(_ connection: Connection) {
        log.append(.ended)
        onEnd(connection)
    }

    func connectionDrained(_ connection: Connection) { log.append(.drained) }

    func connection(_ connection: Connection, closed reason: CloseReason) { log.append(.closed(reason)) }

    /// Waits for the last event.
    func closed() async -> CloseReason? {
        await log.wait { events in
            if case .closed = events.last { return true }
            return false
        }
        guard case .closed(let reason) = log.events.last else { return nil }
        return reason
    }
}

/// The other side of a connection: a blocking socket used by the test's thread.
struct Peer {
    let socket: Socket

    init(_ socket: Socket) throws {
        self.socket = socket
        try socket.descriptor.setNonBlocking(false)
    }

    init(connectingTo address: SocketAddress) throws {
        let socket = try Socket.stream(address.family)
        try socket.descriptor.setNonBlocking(false)
        _ = try socket.connect(to: address)
        self.socket = socket
    }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            guard case .bytes(let count) = socket.send(bytes, from: sent) else { throw SystemError("send") }
            sent += count
        }
    }

    /// Reads exactly so many bytes, fewer only at the end.
    func receive(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            switch socket.receive(atMost: min(count - bytes.count, 1 << 14), appendingTo: &bytes) {
            case .bytes(0): return bytes
            case .bytes: continue
            case .wouldBlock: throw SystemError("recv", errno: .wouldBlock)
            case .failed(let errno): throw SystemError("recv", errno: errno)
            }
        }
        return bytes
    }
}

/// A connection on a loop and the blocking other side of it.
func makeConnection(
    on loop: EventLoop, _ recorder: Recorder, options: Connection.Options = Connection.Options(),
    sendBuffer: Int32? = nil
) async throws -> (connection: Confined<Connection>, peer: Peer) {
    let (left, right) = try Socket.pair()
    if let sendBuffer { try left.setSendBuffer(bytes: sendBuffer) }
    let connection = try await loop.perform {
        Confined(
            try Connection(loop: loop, socket: left, peerAddress: nil, delegate: recorder, options: options))
    }
    return (connection, try Peer(right))
}

import ConclaveCore
import ConclaveSystem

/// Something to call at the end of a turn: connections that have output to send or news to tell.
protocol TurnEndHandler: AnyObject {
    func turnEnded()
}

/// What a loop's thread owns; see ``EventLoop``.
final class LoopState {
    var poller: SystemPoller
    var watches = WatchRegistry()
    var timers = TimerHeap<() -> Void>()
    var hooks = HookList()
    var turnEnd: [any TurnEndHandler] = []
    private var turnEndNow: [any TurnEndHandler] = []
    var batch: [Work] = []
    var batchPosition = 0
    var now = SystemClock.now()
    var isEnding = false
    let receiveBuffer = ReceiveBuffer()
    var spareBuffers = SpareBuffers()

    init() throws(SystemError) { poller = try SystemPoller() }

    /// Whether there is something to do without waiting.
    var hasWork: Bool { !batch.isEmpty || !turnEnd.isEmpty }

    func wait(mayWait: Bool) {
        do throws(SystemError) {
            try poller.wait(until: mayWait ? timers.nextDeadline ?? .distantFuture : .start)
        } catch {
            // Waiting on a poller of our own fails only for a bad descriptor or pointer.
            preconditionFailure("an event loop cannot wait: \(error)")
        }
        now = SystemClock.now()
    }

    func dispatchEvents() {
        var index = 0
        while index < poller.eventCount {
            let event = poller.event(at: index)
            watches.handler(of: WatchToken(key: event.key))?.ready(event.readiness)
            index += 1
        }
    }

    func runTimers(limit: Int) {
        var left = limit
        while left > 0, let work = timers.popDue(now: now) {
            work()
            left -= 1
        }
    }

    func endTurn() {
        // Hooks may add and remove hooks.
        let hooks = hooks
        hooks.run()
        guard !turnEnd.isEmpty else { return }
        swap(&turnEnd, &turnEndNow)
        for handler in turnEndNow { handler.turnEnded() }
        turnEndNow.removeAll(keepingCapacity: true)
    }

    /// Ends all watches and tells their handlers.
    func abandonAll() {
        isEnding = true
        for token in watches.tokens {
            // A handler may have removed another one.
            guard let entry = watches.remove(token) else { continue }
            poller.remove(entry.descriptor, interest: entry.interest)
            entry.handler?.abandoned()
        }
    }

    func takeBatch() -> [Work] {
        let left = Array(batch[batchPosition...])
        batch = []
        batchPosition = 0
        return left
    }

    /// Drops what an ended loop will never use.
    func clear() {
        timers.removeAll()
        hooks = HookList()
        turnEnd = []
        spareBuffers = SpareBuffers()
    }
}

/// Names one hook.
package struct HookToken: Hashable, Sendable {
    let number: UInt64
}

/// What runs at the end of every turn.
struct HookList {
    private var hooks: [(number: UInt64, hook: () -> Void)] = []
    private var nextNumber: UInt64 = 0

    mutating func add(_ hook: @escaping () -> Void) -> HookToken {
        defer { nextNumber += 1 }
        hooks.append((nextNumber, hook))
        return HookToken(number: nextNumber)
    }

    mutating func remove(_ token: HookToken) { hooks.removeAll { $0.number == token.number } }

    func run() { for (_, hook) in hooks { hook() } }
}

/// The memory that a loop's reads go to, one read at a time.
final class ReceiveBuffer {
    static let size = 256 << 10
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: ReceiveBuffer.size, alignment: 64)
    private var isInUse = false

    deinit { memory.deallocate() }

    func receive(from socket: Socket, _ body: (Span<UInt8>) -> Void) -> TransferResult {
        precondition(!isInUse, "a loop's receive buffer holds one read at a time")
        let result = socket.receive(into: memory)
        guard case .bytes(let count) = result, count > 0 else { return result }
        isInUse = true
        defer { isInUse = false }
        // The span ends with the call, and the memory is not touched before.
        body(UnsafeBufferPointer(rebasing: memory.bindMemory(to: UInt8.self)[..<count]).span)
        return result
    }
}

/// Output buffers that are not in use, so that idle connections hold none and busy ones allocate none. Bounded: 64
/// buffers of at most 256 KiB.
struct SpareBuffers {
    static let limit = 64
    static let largest = 256 << 10
    private var buffers: [[UInt8]] = []

    mutating func take() -> [UInt8] { buffers.popLast() ?? [] }

    mutating func give(_ buffer: consuming [UInt8]) {
        guard buffers.count < Self.limit, buffer.capacity > 0, buffer.capacity <= Self.largest else { return }
        buffer.removeAll(keepingCapacity: true)
        buffers.append(buffer)
    }
}

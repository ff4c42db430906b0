import ConclaveCore
import ConclaveSession
import ConclaveSystem

/// What a session's tasks and its loop share; see ``SessionShell``.
struct ShellState {
    var machine: SessionMachine
    var waiters = WaiterTable()
    var watches: [WatcherID: WatchTarget] = [:]

    // Each continuation is resumed once: by whoever takes it out of here under the lock.
    var holdWaiters: [UInt64: UnsafeContinuation<HoldEnd?, Never>] = [:]
    var cancelledHoldWaiters: Set<UInt64> = []
    var nextHoldWaiter: UInt64 = 0
    var endWaiters: [UnsafeContinuation<Void, Never>] = []
    var observers: [UInt64: AsyncStream<SessionState>.Continuation] = [:]
    var nextObserver: UInt64 = 0

    /// The present connection, if it is open.
    private var socket: SharedSocket?
    /// Somebody is sending.
    private var isSending = false
    /// The socket took no more; the loop waits until it does.
    private var isBlocked = false
    /// What it did not take.
    private var unsent: (bytes: [UInt8], offset: Int)?
    private var spare: [UInt8] = []

    /// An output buffer that has grown beyond this is given back.
    private static let retainedBytes = 1 << 18

    init(_ machine: SessionMachine) { self.machine = machine }

    // MARK: Sending

    mutating func opened(_ socket: SharedSocket) {
        self.socket = socket
        isBlocked = false
        unsent = nil
    }

    mutating func closed() {
        socket = nil
        isBlocked = false
        unsent = nil
    }

    mutating func unblocked() { isBlocked = false }

    /// Takes the right to send and what there is to be sent; `nil` if there is nothing, or somebody else has the right
    /// and will take it along.
    mutating func beginSending() -> SendJob? {
        guard !isSending, !isBlocked, let socket else { return nil }
        if let rest = unsent {
            unsent = nil
            isSending = true
            return SendJob(socket: socket, bytes: rest.bytes, offset: rest.offset)
        }
        guard machine.hasOutput else { return nil }
        isSending = true
        var bytes: [UInt8] = []
        swap(&bytes, &spare)
        machine.takeOutput(into: &bytes)
        return SendJob(socket: socket, bytes: bytes, offset: 0)
    }

    /// What came of a job.
    enum Sent {
        case done
        case more(SendJob)
        /// The loop must say when the socket takes bytes again.
        case blocked
    }

    mutating func finished(_ job: consuming SendJob, _ result: TransferResult) -> Sent {
        isSending = false
        let isCurrent = job.socket === socket
        switch result {
        case .bytes(let count) where isCurrent && job.offset + count < job.bytes.count:
            unsent = (job.bytes, job.offset + count)
        case .wouldBlock where isCurrent:
            unsent = (job.bytes, job.offset)
            isBlocked = true
            return .blocked
        // A failure is also seen by the loop, which knows what to do.
        case .bytes, .wouldBlock, .failed:
            if spare.capacity == 0, job.bytes.capacity <= Self.retainedBytes {
                spare = job.bytes
                job.bytes = []
                spare.removeAll(keepingCapacity: true)
            }
            if case .failed = result, isCurrent { return .done }
        }
        return beginSending().map(Sent.more) ?? .done
    }
}

/// Bytes that one task or the loop is sending.
struct SendJob {
    let socket: SharedSocket
    var bytes: [UInt8]
    var offset: Int
}

/// Where the events of a watch go.
enum WatchTarget {
    case once(WatchCell)
    case persistent(EventQueue)
}

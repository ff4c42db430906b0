import ConclaveCore
import Synchronization

/// Events that wait for a reader, or readers that wait for events. Bounded.
final class EventQueue: Sendable {
    enum Next {
        case event(WatchEvent)
        case ended(WatchFailure)
        case cancelled
    }

    static let limit = 65_536

    private struct State {
        var events: [WatchEvent] = []
        var head = 0
        var failure: WatchFailure?
        // Each continuation is resumed once: by whoever takes it out of here under the lock. In order of arrival.
        var readers: [(number: UInt64, waiter: UnsafeContinuation<Next, Never>)] = []
        var cancelled: Set<UInt64> = []
        var nextReader: UInt64 = 0

        mutating func take() -> Next? {
            if head < events.count {
                defer {
                    head += 1
                    if head == events.count {
                        events.removeAll(keepingCapacity: events.capacity < 1_024)
                        head = 0
                    } else if head >= 1_024, head * 2 >= events.count {
                        events.removeFirst(head)
                        head = 0
                    }
                }
                return .event(events[head])
            }
            return failure.map { .ended($0) }
        }
    }

    private let state = Mutex(State())

    var isOpen: Bool { state.withLock { $0.failure == nil } }

    /// - Returns: false if the reader is too far behind; the queue has ended then.
    func append(_ event: WatchEvent) -> Bool {
        let (reader, hasRoom) = state.withLock { state -> (UnsafeContinuation<Next, Never>?, Bool) in
            guard state.failure == nil else { return (nil, true) }
            if !state.readers.isEmpty { return (state.readers.removeFirst().waiter, true) }
            guard state.events.count - state.head < Self.limit else {
                let reason = "the reader is \(Self.limit) events behind"
                state.failure = WatchFailure(code: .throttled, reason: reason)
                return (nil, false)
            }
            state.events.append(event)
            return (nil, true)
        }
        reader?.resume(returning: .event(event))
        return hasRoom
    }

    /// What has come is still read.
    func end(_ failure: WatchFailure) {
        let readers = state.withLock { state -> [UnsafeContinuation<Next, Never>] in
            guard state.failure == nil else { return [] }
            state.failure = failure
            defer { state.readers = [] }
            return state.readers.map(\.waiter)
        }
        for reader in readers { reader.resume(returning: .ended(failure)) }
    }

    func next() async -> Next {
        let number = state.withLock { state in
            defer { state.nextReader += 1 }
            return state.nextReader
        }
        defer {
            // The handler below cannot run any more: what it left behind goes.
            if Task.isCancelled { state.withLock { _ = $0.cancelled.remove(number) } }
        }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: UnsafeContinuation<Next, Never>) in
                let known = state.withLock { state -> Next? in
                    if state.cancelled.contains(number) { return .cancelled }
                    if let next = state.take() { return next }
                    state.readers.append((number, waiter))
                    return nil
                }
                if let known { waiter.resume(returning: known) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> UnsafeContinuation<Next, Never>? in
                state.cancelled.insert(number)
                guard let index = state.readers.firstIndex(where: { $0.number == number }) else { return nil }
                return state.readers.remove(at: index).waiter
            }
            waiter?.resume(returning: .cancelled)
        }
    }
}

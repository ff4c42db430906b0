#if canImport(Darwin)
import ConclaveCore
import Darwin

/// Darwin: kqueue(2), level triggered, with one filter for each direction.
///
/// The time-out of kevent(2) stands still while the machine is suspended; so no wait is longer than a second, and a
/// deadline that passed during a suspend is noticed within that time afterwards.
package struct Kqueue: Poller, ~Copyable {
    private let queue: FileDescriptor
    package let waker: EventWakeup
    private let events: UnsafeMutablePointer<kevent>
    package private(set) var eventCount = 0

    private static let wakeKey = UInt64.max
    private static let longestWaitNanoseconds: Int64 = 1_000_000_000

    package init() throws(SystemError) {
        let number = kqueue()
        guard number >= 0 else { throw SystemError("kqueue") }
        let queue = FileDescriptor(rawValue: number)
        do throws(SystemError) {
            try queue.setCloseOnExec()
            let waker = try EventWakeup()
            do throws(SystemError) {
                try Self.change(queue, waker.descriptor, Int16(EVFILT_READ), UInt16(EV_ADD), Self.wakeKey)
            } catch {
                waker.close()
                throw error
            }
            self.queue = queue
            self.waker = waker
        } catch {
            queue.close()
            throw error
        }
        events = .allocate(capacity: Self.maximumEvents)
        events.initialize(repeating: kevent(), count: Self.maximumEvents)
    }

    package mutating func add(_ descriptor: FileDescriptor, key: UInt64, interest: Interest) throws(SystemError) {
        try update(descriptor, key: key, from: [], to: interest)
    }

    package mutating func update(
        _ descriptor: FileDescriptor, key: UInt64, from old: Interest, to interest: Interest
    ) throws(SystemError) {
        for (part, filter) in [(Interest.readable, Int16(EVFILT_READ)), (.writable, Int16(EVFILT_WRITE))] {
            if interest.contains(part) {
                try Self.change(queue, descriptor, filter, UInt16(EV_ADD), key)
            } else if old.contains(part) {
                try Self.change(queue, descriptor, filter, UInt16(EV_DELETE), key)
            }
        }
    }

    package mutating func remove(_ descriptor: FileDescriptor, interest: Interest) {
        // Fails only if the filter is not there, which is what is wanted.
        try? update(descriptor, key: 0, from: interest, to: [])
    }

    package mutating func wait(until deadline: Instant) throws(SystemError) {
        let (difference, overflow) = deadline.nanoseconds.subtractingReportingOverflow(SystemClock.now().nanoseconds)
        let nanoseconds = overflow ? Self.longestWaitNanoseconds : max(0, min(difference, Self.longestWaitNanoseconds))
        var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        let found = kevent(queue.rawValue, nil, 0, events, Int32(Self.maximumEvents), &time)
        guard found >= 0 else {
            eventCount = 0
            guard Errno.current == .interrupted else { throw SystemError("kevent") }
            return
        }
        eventCount = Int(found)
        dropOwnEvents()
    }

    private mutating func dropOwnEvents() {
        var index = 0
        while index < eventCount {
            guard Self.key(of: events[index]) == Self.wakeKey else {
                index += 1
                continue
            }
            waker.clear()
            eventCount -= 1
            events[index] = events[eventCount]
        }
    }

    package func event(at index: Int) -> PollEvent {
        precondition(index < eventCount, "kevent \(index) of \(eventCount)")
        let event = events[index]
        // EV_EOF comes with the last bytes; the reader finds the end, or the error, by reading.
        let readiness: Readiness = event.filter == Int16(EVFILT_WRITE) ? .writable : .readable
        return PollEvent(key: Self.key(of: event), readiness: readiness)
    }

    package func close() {
        queue.close()
        waker.close()
    }

    deinit {
        events.deallocate()
    }

    private static func key(of event: kevent) -> UInt64 { UInt64(UInt(bitPattern: event.udata)) }

    private static func change(
        _ queue: FileDescriptor, _ descriptor: FileDescriptor, _ filter: Int16, _ flags: UInt16, _ key: UInt64
    ) throws(SystemError) {
        var change = kevent(
            ident: UInt(descriptor.rawValue), filter: filter, flags: flags, fflags: 0, data: 0,
            udata: UnsafeMutableRawPointer(bitPattern: UInt(key)))
        guard kevent(queue.rawValue, &change, 1, nil, 0, nil) >= 0 else { throw SystemError("kevent") }
    }
}
#endif

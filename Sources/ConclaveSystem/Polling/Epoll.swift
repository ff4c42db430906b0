#if os(Linux)
import CConclavePlatform
import ConclaveCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Linux: epoll(7), level triggered, with a timerfd(2) for deadlines.
///
/// The time-out of epoll_wait(2) stands still while the machine is suspended; a timer descriptor on CLOCK_BOOTTIME does
/// not, so a deadline that passed during a suspend is noticed at once afterwards. The timer is only set again when a
/// deadline lies before the one it is set for, or when that has passed: most turns make no call for it.
package struct Epoll: Poller, ~Copyable {
    private let poller: FileDescriptor
    private let timer: FileDescriptor
    package let waker: EventWakeup
    /// What the timer is set for.
    private var armed = Instant.distantFuture
    private let events: UnsafeMutablePointer<epoll_event>
    package private(set) var eventCount = 0

    /// Keys of the poller's own descriptors; users' keys must be smaller.
    private static let timerKey = UInt64.max
    private static let wakeKey = UInt64.max - 1

    package init() throws(SystemError) {
        var opened: [FileDescriptor] = []
        do throws(SystemError) {
            let poller = try Self.checked(conclave_epoll_create(), "epoll_create1", &opened)
            let timer = try Self.checked(conclave_timerfd(), "timerfd_create", &opened)
            let waker = try EventWakeup()
            opened.append(waker.descriptor)
            // Edge triggered, so that neither has to be read: the timer again after each time it is set, the eventfd
            // after each write to it. Its counter would overflow after 2^64 - 1 signals.
            let events = conclave_epoll_in | conclave_epoll_et
            try Self.control(poller, conclave_epoll_add, timer, events, Self.timerKey)
            try Self.control(poller, conclave_epoll_add, waker.descriptor, events, Self.wakeKey)
            self.poller = poller
            self.timer = timer
            self.waker = waker
        } catch {
            for descriptor in opened { descriptor.close() }
            throw error
        }
        events = .allocate(capacity: Self.maximumEvents)
        events.initialize(repeating: epoll_event(), count: Self.maximumEvents)
    }

    private static func checked(
        _ number: Int32, _ call: String, _ opened: inout [FileDescriptor]
    ) throws(SystemError) -> FileDescriptor {
        guard number >= 0 else { throw SystemError(call) }
        opened.append(FileDescriptor(rawValue: number))
        return FileDescriptor(rawValue: number)
    }

    package mutating func add(_ descriptor: FileDescriptor, key: UInt64, interest: Interest) throws(SystemError) {
        try Self.control(poller, conclave_epoll_add, descriptor, Self.mask(interest), key)
    }

    package mutating func update(
        _ descriptor: FileDescriptor, key: UInt64, from old: Interest, to interest: Interest
    ) throws(SystemError) {
        try Self.control(poller, conclave_epoll_modify, descriptor, Self.mask(interest), key)
    }

    package mutating func remove(_ descriptor: FileDescriptor, interest: Interest) {
        // Fails only if the descriptor is not there, which is what is wanted.
        _ = conclave_epoll_control(poller.rawValue, conclave_epoll_delete, descriptor.rawValue, 0, 0)
    }

    package mutating func wait(until deadline: Instant) throws(SystemError) {
        var timeout: Int32 = -1
        if deadline < armed {
            if deadline <= SystemClock.now() {
                timeout = 0
            } else {
                guard conclave_timerfd_arm(timer.rawValue, deadline.nanoseconds) == 0 else {
                    throw SystemError("timerfd_settime")
                }
                armed = deadline
            }
        }
        let found = epoll_wait(poller.rawValue, events, Int32(Self.maximumEvents), timeout)
        guard found >= 0 else {
            eventCount = 0
            guard Errno.current == .interrupted else { throw SystemError("epoll_wait") }
            return
        }
        eventCount = Int(found)
        dropOwnEvents()
    }

    /// Takes the timer and the wake-up out of the list.
    private mutating func dropOwnEvents() {
        var index = 0
        while index < eventCount {
            let key = events[index].data.u64
            guard key >= Self.wakeKey else {
                index += 1
                continue
            }
            if key == Self.timerKey { armed = .distantFuture }
            eventCount -= 1
            events[index] = events[eventCount]
        }
    }

    package func event(at index: Int) -> PollEvent {
        precondition(index < eventCount, "epoll event \(index) of \(eventCount)")
        let event = events[index]
        let bits: UInt8 =
            (event.events & conclave_epoll_in != 0 ? Readiness.readable.rawValue : 0)
            | (event.events & conclave_epoll_out != 0 ? Readiness.writable.rawValue : 0)
            | (event.events & (conclave_epoll_err | conclave_epoll_hup) != 0 ? Readiness.broken.rawValue : 0)
        return PollEvent(key: event.data.u64, readiness: Readiness(rawValue: bits))
    }

    package func close() {
        poller.close()
        timer.close()
        waker.close()
    }

    deinit {
        events.deallocate()
    }

    private static func control(
        _ poller: FileDescriptor, _ operation: Int32, _ descriptor: FileDescriptor, _ events: UInt32,
        _ key: UInt64
    ) throws(SystemError) {
        guard conclave_epoll_control(poller.rawValue, operation, descriptor.rawValue, events, key) == 0 else {
            throw SystemError("epoll_ctl")
        }
    }

    @inline(__always)
    private static func mask(_ interest: Interest) -> UInt32 {
        (interest.contains(.readable) ? conclave_epoll_in : 0) | (interest.contains(.writable) ? conclave_epoll_out : 0)
    }
}
#endif

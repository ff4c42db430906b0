import ConclaveCore

/// What somebody wants to hear of a descriptor. Errors and hang-ups are told always.
package struct Interest: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    @inlinable
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    @inlinable package static var readable: Interest { Interest(rawValue: 1) }
    @inlinable package static var writable: Interest { Interest(rawValue: 2) }
}

/// What a descriptor has to say.
///
/// `isWritable` and its like are bit tests; the generic algebra of option sets is not specialised across modules and
/// showed in profiles (5% of an echo server).
package struct Readiness: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    @inlinable
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Bytes, a new connection or the end of the stream are waiting.
    @inlinable package static var readable: Readiness { Readiness(rawValue: 1) }
    @inlinable package static var writable: Readiness { Readiness(rawValue: 2) }
    /// An error waits at the descriptor, or both directions are shut. Comes whatever the interest was, again and again
    /// until the descriptor is removed.
    @inlinable package static var broken: Readiness { Readiness(rawValue: 4) }

    @inlinable package var isReadable: Bool { rawValue & 1 != 0 }
    @inlinable package var isWritable: Bool { rawValue & 2 != 0 }
    @inlinable package var isBroken: Bool { rawValue & 4 != 0 }
}

/// One thing that ``Poller/wait(until:)`` found.
package struct PollEvent: Equatable, Sendable {
    /// What the descriptor was added with.
    package let key: UInt64
    package let readiness: Readiness

    package init(key: UInt64, readiness: Readiness) {
        self.key = key
        self.readiness = readiness
    }
}

/// The system's way to wait for many descriptors at once, level triggered. Used by one thread, except ``wake()``.
package protocol Poller: ~Copyable {
    init() throws(SystemError)
    mutating func add(_ descriptor: FileDescriptor, key: UInt64, interest: Interest) throws(SystemError)
    mutating func update(
        _ descriptor: FileDescriptor, key: UInt64, from old: Interest, to interest: Interest
    ) throws(SystemError)
    /// Must come before the descriptor is closed.
    mutating func remove(_ descriptor: FileDescriptor, interest: Interest)
    /// Waits until something is ready, somebody calls ``wake()`` or the moment has come (on the clock that counts
    /// suspend); does not wait at all for a moment in the past. May return early and without events.
    mutating func wait(until deadline: Instant) throws(SystemError)
    /// How many events the last wait found; at most ``maximumEvents``.
    var eventCount: Int { get }
    func event(at index: Int) -> PollEvent
    /// Ends a wait, from any thread.
    var waker: EventWakeup { get }
    func close()
}

extension Poller where Self: ~Copyable {
    /// The most events that one wait takes, so that one turn of a loop is bounded.
    package static var maximumEvents: Int { 256 }
}

#if os(Linux)
package typealias SystemPoller = Epoll
#else
package typealias SystemPoller = Kqueue
#endif

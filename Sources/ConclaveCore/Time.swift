/// A moment on a clock that only goes forward and counts the time a machine is suspended; nanoseconds from an arbitrary start.
///
/// Machines never read a clock: moments arrive with the events.
@usableFromInline
package struct Instant: Hashable, Comparable, Sendable {
    @usableFromInline package var nanoseconds: Int64

    @inlinable
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    @inlinable
    package init(milliseconds: Int64) { nanoseconds = milliseconds &* 1_000_000 }

    package static let start = Instant(nanoseconds: 0)
    package static let distantFuture = Instant(nanoseconds: .max)

    package var milliseconds: Int64 { nanoseconds / 1_000_000 }

    @inlinable
    package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Stops at the ends instead of trapping.
    package func advanced(byMilliseconds milliseconds: Int64) -> Instant {
        let (delta, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        guard !overflow else { return milliseconds < 0 ? .start : .distantFuture }
        let (sum, carried) = nanoseconds.addingReportingOverflow(delta)
        return carried ? (delta < 0 ? .start : .distantFuture) : Instant(nanoseconds: sum)
    }

    /// Milliseconds from an earlier moment to this one, rounded down; negative if `earlier` is later.
    package func milliseconds(since earlier: Instant) -> Int64 {
        let (difference, overflow) = nanoseconds.subtractingReportingOverflow(earlier.nanoseconds)
        return overflow ? .max : difference / 1_000_000
    }
}

/// The time of day: milliseconds since 1970. Only for what the protocol stores (ctime, mtime), never for deciding time-outs.
package struct WallTime: Hashable, Sendable {
    package var milliseconds: Int64

    @inlinable
    package init(milliseconds: Int64) { self.milliseconds = milliseconds }
}

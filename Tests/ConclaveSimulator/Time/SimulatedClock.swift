import ConclaveCore

/// The clocks of one process: one that only goes forward, at a rate of its own, and the time of day, which may jump.
package struct SimulatedClock: Sendable, Equatable {
    /// True time at which the rate last changed, and what the clock showed then.
    private var base: Int64 = 0
    private var shown: Int64 = 0
    /// How much faster than true time it goes.
    package private(set) var driftPartsPerMillion: Int64 = 0
    /// What the time of day is off by.
    package var wallOffsetMilliseconds: Int64 = 0

    /// The time of day at the start of every run.
    package static let epochMilliseconds: Int64 = 1_700_000_000_000
    /// Beyond this the clock cannot be far from stopping, or the arithmetic from overflowing.
    package static let driftLimit: Int64 = 500_000
    /// Longer waits than about three hours never end.
    private static let horizon: Int64 = 10_000_000_000_000

    package init() {}

    /// - Parameter shown: what the clock shows at true time 0.
    package init(shown: Int64, driftPartsPerMillion: Int64) {
        self.shown = shown
        self.driftPartsPerMillion = min(max(driftPartsPerMillion, -Self.driftLimit), Self.driftLimit)
    }

    package func instant(at time: Int64) -> Instant {
        let elapsed = time - base
        return Instant(nanoseconds: shown + elapsed + Self.scaled(elapsed, driftPartsPerMillion))
    }

    package func wall(at time: Int64) -> WallTime {
        WallTime(milliseconds: Self.epochMilliseconds + time / 1_000_000 + wallOffsetMilliseconds)
    }

    /// The first true time at which the clock shows `instant` or more; `Int64.max` if that is too far off.
    package func time(of instant: Instant) -> Int64 {
        guard instant.nanoseconds > shown else { return base }
        let (wait, overflow) = instant.nanoseconds.subtractingReportingOverflow(shown)
        guard !overflow, wait < Self.horizon else { return .max }
        let rate = 1_000_000 + driftPartsPerMillion
        var elapsed = wait / rate * 1_000_000 + wait % rate * 1_000_000 / rate
        // The divisions round, by a few steps at most.
        while elapsed + Self.scaled(elapsed, driftPartsPerMillion) < wait { elapsed += 1 }
        while elapsed > 0, elapsed - 1 + Self.scaled(elapsed - 1, driftPartsPerMillion) >= wait { elapsed -= 1 }
        return base + elapsed
    }

    /// Goes at another rate from now on; what it shows does not jump.
    package mutating func drift(partsPerMillion: Int64, at time: Int64) {
        shown = instant(at: time).nanoseconds
        base = time
        driftPartsPerMillion = min(max(partsPerMillion, -Self.driftLimit), Self.driftLimit)
    }

    /// Starts anew, as the clock of a machine does that was switched off.
    package mutating func restart(at time: Int64, showing: Int64) {
        base = time
        shown = showing
    }

    private static func scaled(_ elapsed: Int64, _ drift: Int64) -> Int64 {
        // In two steps, because the product of a day and a large drift does not fit.
        elapsed / 1_000_000 * drift + elapsed % 1_000_000 * drift / 1_000_000
    }
}

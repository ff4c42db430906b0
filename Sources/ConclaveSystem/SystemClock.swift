import ConclaveCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The machine's clocks.
package enum SystemClock {
    /// A moment on the clock that only goes forward and counts the time the machine is suspended:
    /// clock_gettime(CLOCK_BOOTTIME) on Linux, mach_continuous_time on Darwin.
    package static func now() -> Instant {
        #if canImport(Darwin)
        let ticks = mach_continuous_time()
        let scaled = ticks.multipliedFullWidth(by: UInt64(ticksToNanoseconds.numer))
        let nanoseconds = UInt64(ticksToNanoseconds.denom).dividingFullWidth(scaled).quotient
        return Instant(nanoseconds: Int64(clamping: nanoseconds))
        #else
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
        #endif
    }

    /// The time of day: clock_gettime(CLOCK_REALTIME), in milliseconds since 1970.
    package static func wallTime() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) &* 1_000 &+ Int64(time.tv_nsec) / 1_000_000)
    }

    #if canImport(Darwin)
    private static let ticksToNanoseconds: mach_timebase_info_data_t = {
        var info = mach_timebase_info_data_t()
        mach_timebase_info(&info)
        return info
    }()
    #endif
}

import ConclaveCore
import ConclaveSystem

/// The clock by which recipes judge moments that people or other programs have named.
package enum ClientClock {
    /// Milliseconds since 1970. May be set, so it measures no durations.
    package static var wallMilliseconds: Int64 { SystemClock.wallTime().milliseconds }
}

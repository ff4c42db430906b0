#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Times of day in the time zone of the machine (`TZ`).
package enum DateText {
    /// As Java prints dates: `Sat Nov 21 04:03:19 UTC 2026`.
    package static func java(_ milliseconds: Int64) -> String {
        let time = local(milliseconds)
        var zone = [CChar](repeating: 0, count: 64)
        var fields = time
        // strftime leaves the buffer alone where the name does not fit.
        strftime(&zone, zone.count, "%Z", &fields)
        let day = names("SunMonTueWedThuFriSat", time.tm_wday)
        let month = names("JanFebMarAprMayJunJulAugSepOctNovDec", time.tm_mon)
        let name = String(decoding: zone.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(day) \(month) \(two(time.tm_mday)) \(clock(time)) \(name) \(Int(time.tm_year) + 1900)"
    }

    /// `2026-11-21 04:03:19.042`.
    package static func precise(_ milliseconds: Int64) -> String {
        let time = local(milliseconds)
        let date = "\(Int(time.tm_year) + 1900)-\(two(time.tm_mon + 1))-\(two(time.tm_mday))"
        let fraction = String(1000 + remainder(milliseconds)).dropFirst()
        return "\(date) \(clock(time)).\(fraction)"
    }

    private static func local(_ milliseconds: Int64) -> tm {
        var seconds = time_t((milliseconds - remainder(milliseconds)) / 1000)
        var fields = tm()
        // localtime_r fails only for years that do not fit; the fields then stay zero.
        localtime_r(&seconds, &fields)
        return fields
    }

    /// Between 0 and 999, before 1970 as well.
    private static func remainder(_ milliseconds: Int64) -> Int64 {
        let remainder = milliseconds % 1000
        return remainder < 0 ? remainder + 1000 : remainder
    }

    private static func clock(_ time: tm) -> String { "\(two(time.tm_hour)):\(two(time.tm_min)):\(two(time.tm_sec))" }

    private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }

    private static func names(_ all: String, _ index: Int32) -> Substring { all.dropFirst(Int(index) * 3).prefix(3) }
}

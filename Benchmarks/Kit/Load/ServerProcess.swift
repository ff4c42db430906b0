import Foundation

/// What the processes of a server or an ensemble have used so far: their processor clocks, /proc/PID/status and
/// /proc/PID/io.
package struct ServerProcess: Sendable {
    package let pids: [Int32]

    package init(pid: Int32) { pids = [pid] }

    /// Several that are counted together.
    package init(pids: [Int32]) { self.pids = pids }

    /// User and system time of all threads, in seconds, to the nanosecond: clock_getcpuclockid(3).
    package func processorSeconds() -> Double? { sum(Self.processorSeconds) }

    /// Resident memory in bytes.
    package func residentBytes() -> Int? { sum(Self.residentBytes) }

    /// Bytes that storage was made to write, in whole pages.
    package func storageBytes() -> Int? { sum(Self.storageBytes) }

    /// `nil` if one of them does not tell, or there is none.
    private func sum<N: AdditiveArithmetic>(_ of: (Int32) -> N?) -> N? {
        var sum = N.zero
        for pid in pids {
            guard let one = of(pid) else { return nil }
            sum += one
        }
        return pids.isEmpty ? nil : sum
    }

    private static func processorSeconds(_ pid: Int32) -> Double? {
        #if os(Linux)
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        #else
        return nil
        #endif
    }

    private static func residentBytes(_ pid: Int32) -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("VmRSS:") {
            guard let kibibytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first else {
                break
            }
            return Int(kibibytes).map { $0 * 1024 }
        }
        return nil
    }

    private static func storageBytes(_ pid: Int32) -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/io", encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("write_bytes:") {
            return line.split(separator: " ").last.flatMap { Int($0) }
        }
        return nil
    }
}

/// What this process itself has used, to show that the generator is cheap beside the server.
package enum Generator {
    package static func processorSeconds() -> Double { ServerProcess(pid: getpid()).processorSeconds() ?? 0 }
}

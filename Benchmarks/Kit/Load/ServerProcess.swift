import Foundation

/// What a server's process has used so far: /proc/PID/stat and /proc/PID/status.
package struct ServerProcess: Sendable {
    package let pid: Int32

    package init(pid: Int32) { self.pid = pid }

    /// User and system time of all threads, in seconds; the kernel counts in ticks of 10 ms.
    package func processorSeconds() -> Double? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return nil }
        // The name in parentheses may hold anything; utime and stime are the 12th and 13th field behind it.
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Resident memory in bytes.
    package func residentBytes() -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("VmRSS:") {
            guard let kibibytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first else {
                break
            }
            return Int(kibibytes).map { $0 * 1024 }
        }
        return nil
    }
}

/// What this process itself has used, to show that the generator is cheap beside the server.
package enum Generator {
    package static func processorSeconds() -> Double { ServerProcess(pid: getpid()).processorSeconds() ?? 0 }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What machine and user this process runs on and as: uname(3), getenv(3), getcwd(3), sysconf(3).
package struct HostFacts: Sendable {
    package var hostName: String
    package var operatingSystem: String
    package var architecture: String
    package var release: String
    package var userName: String
    package var homeDirectory: String
    package var workingDirectory: String
    package var totalMemoryBytes: Int
    package var freeMemoryBytes: Int

    package static var current: HostFacts {
        var name = utsname()
        _ = uname(&name)
        let page = sysconf(Int32(_SC_PAGESIZE))
        let total = sysconf(Int32(_SC_PHYS_PAGES))
        #if os(Linux)
        let free = sysconf(Int32(_SC_AVPHYS_PAGES))
        #else
        let free = 0
        #endif
        return HostFacts(
            hostName: text(&name.nodename), operatingSystem: text(&name.sysname), architecture: text(&name.machine),
            release: text(&name.release), userName: environment("USER") ?? environment("LOGNAME") ?? "",
            homeDirectory: environment("HOME") ?? "", workingDirectory: currentDirectory(),
            totalMemoryBytes: max(0, page * total), freeMemoryBytes: max(0, page * free))
    }

    /// A variable of the process's environment.
    package static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    private static func currentDirectory() -> String {
        guard let buffer = getcwd(nil, 0) else { return "" }
        defer { free(buffer) }
        return String(cString: buffer)
    }

    /// The characters before the terminating zero of a fixed array of C.
    private static func text<Field>(_ field: inout Field) -> String {
        withUnsafeBytes(of: &field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

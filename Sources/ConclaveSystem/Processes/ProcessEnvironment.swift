import CConclavePlatform

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What this process was given when it was started.
package enum ProcessEnvironment {
    /// The variables of the environment.
    package static var all: [String: String] {
        var variables: [String: String] = [:]
        var next = conclave_environment()
        while let pointer = next, let text = pointer.pointee {
            let entry = String(cString: text)
            if let equals = entry.firstIndex(of: "=") {
                variables[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
            }
            next = pointer + 1
        }
        return variables
    }

    /// The path of this program; `nil` where the system does not tell.
    package static var executable: String? {
        #if os(Linux)
        // The kernel keeps this link right even when the file is renamed; it is resolved when it is used.
        return "/proc/self/exe"
        #else
        return nil
        #endif
    }

    /// The name of this machine, for identities.
    package static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    package static var processID: Int32 { getpid() }
}

import CConclavePlatform

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The process that started this one.
package enum ParentProcess {
    /// getppid(2). Another process takes its place when it dies.
    package static var id: Int32 { getppid() }

    /// prctl(PR_SET_PDEATHSIG): this process gets a signal when the thread that started it ends, also after execve(2), except
    /// for programs that change their user. Linux only; elsewhere nothing happens.
    package static func endWithIt(by signal: Signal) {
        #if os(Linux)
        _ = conclave_end_with_parent(signal.rawValue)
        #endif
    }

    /// execv(2): replaces this process by a program. Returns only if that fails.
    package static func become(_ path: String, _ words: some Sequence<String>) -> Errno {
        var arguments = words.map { strdup($0) } + [nil]
        execv(path, &arguments)
        return Errno.current
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What the key Ctrl-Z asks for.
enum JobControl {
    /// Stops this process and the others of its group, for instance of the same pipeline; returns when it goes on.
    ///
    /// A signal to the group reaches this process through any of its threads, at any time, and may be blocked in the one that
    /// sent it. So it is left out of that and stops itself by the signal that cannot be blocked.
    static func stop() {
        signal(SIGTSTP, SIG_IGN)
        kill(0, SIGTSTP)
        signal(SIGTSTP, SIG_DFL)
        raise(SIGSTOP)
    }
}

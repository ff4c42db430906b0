import CConclavePlatform
import ConclaveSystem

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The step between this tool and the command it runs: asks the kernel to end the command when the tool dies, then becomes
/// the command.
///
/// Without it a tool that is killed (`kill -9`, out of memory) would leave a command running whose lock somebody else gets.
/// Linux only (prctl(PR_SET_PDEATHSIG)); elsewhere the command is run without it. The request reaches the command itself,
/// not the processes that it starts, and is dropped by the kernel for programs that change their user.
package enum GuardedExec {
    package static let name = "--exec-guarded"

    /// Whether a command line asks for it, and then does it: the words are the parent's id, the path and the arguments.
    /// - Returns: the exit status if the command cannot be run; `nil` if the command line asks for something else.
    package static func run(_ words: [String]) -> Int32? {
        guard words.count >= 4, words[0] == name, let parent = pid_t(words[1]) else { return nil }
        #if os(Linux)
        _ = conclave_end_with_parent(SIGTERM)
        #endif
        // It may have died before the kernel knew.
        guard getppid() == parent else { return ExitCode.signal(SIGTERM) }
        var arguments = words[3...].map { strdup($0) } + [nil]
        execv(words[2], &arguments)
        let reason = Errno.current
        try? FileDescriptor.standardError.writeAll(Array("conclave: cannot run \(words[2]): \(reason)\n".utf8))
        return ExitCode.notExecutable
    }
}

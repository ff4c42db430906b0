import ConclaveSystem

/// The step between this tool and the command it runs: asks the kernel to end the command when the tool dies, then becomes
/// the command.
///
/// Without it a tool that is killed (`kill -9`, out of memory) would leave a command running whose lock somebody else gets.
/// Linux only (see ``ParentProcess/endWithIt(by:)``); elsewhere the command is run without it. The signal reaches the command
/// itself, not the processes that it starts.
package enum GuardedExec {
    package static let name = "--exec-guarded"

    /// Whether a command line asks for it, and then does it: the words are the parent's id, the path and the arguments.
    /// - Returns: the exit status if the command cannot be run; `nil` if the command line asks for something else.
    package static func run(_ words: [String]) -> Int32? {
        guard words.count >= 4, words[0] == name, let parent = Int32(words[1]) else { return nil }
        ParentProcess.endWithIt(by: .terminate)
        // It may have died before the kernel knew.
        guard ParentProcess.id == parent else { return ExitCode.signal(Signal.terminate.rawValue) }
        let reason = ParentProcess.become(words[2], words[3...])
        try? FileDescriptor.standardError.writeAll(Array("conclave: cannot run \(words[2]): \(reason)\n".utf8))
        return ExitCode.notExecutable
    }
}

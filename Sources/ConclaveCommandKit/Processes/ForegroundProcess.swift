import ConclaveSystem
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A command that this process runs for the user, in a process group of its own so that a signal reaches everything it starts.
///
/// Where the standard input is a terminal in our hands, the new group gets it, and it comes back when the command has ended:
/// keys such as Ctrl-C go to the command, as if the user had started it directly. That, job control and the guardian are what
/// it has beyond the plain `ChildProcess` of the layer below.
package final class ForegroundProcess: Sendable {
    /// How a process ended.
    package enum Ending: Equatable, Sendable {
        case exited(Int32)
        case signalled(Int32)

        /// As shells count.
        package var status: Int32 {
            switch self {
            case .exited(let status): status
            case .signalled(let signal): ExitCode.signal(signal)
            }
        }
    }

    package let id: pid_t
    private let waiter: ThreadHandle
    private let result: ResultBox

    private init(id: pid_t, waiter: ThreadHandle, result: ResultBox) {
        self.id = id
        self.waiter = waiter
        self.result = result
    }

    /// Starts a program found along `PATH`.
    ///
    /// - Parameters:
    ///   - words: the program and its arguments; not empty.
    ///   - guardian: the path of this tool, which then starts the program in between and sees to it that the program is
    ///     ended when this process dies, however it dies (Linux only); `nil` for none.
    package static func start(
        _ words: [String], environment: [String: String], guardian: String? = nil
    ) async throws(ToolFailure) -> ForegroundProcess {
        guard let program = words.first else { throw ToolFailure("no command to run") }
        let path = try locate(program, along: environment["PATH"])
        var launched = words
        var launchedPath = path
        if let guardian {
            launched = [guardian, GuardedExec.name, "\(getpid())", path] + words
            launchedPath = guardian
        }
        let (start, result) = (StartBox(), ResultBox())
        let words = launched, executable = launchedPath
        let thread: ThreadHandle
        do {
            // The thread that starts the process must live as long as it does: the guardian's signal comes when it ends.
            thread = try ThreadHandle(name: "child") { run(executable, words, environment, start, result) }
        } catch {
            throw ToolFailure("cannot start a thread: \(error)")
        }
        switch await start.value {
        case .success(let id): return ForegroundProcess(id: id, waiter: thread, result: result)
        case .failure(let error):
            throw ToolFailure("cannot run \(program): \(error.errno)", status: ExitCode.notExecutable)
        }
    }

    /// Waits for its end. Not affected by cancellation: who wants it to end sooner sends a signal.
    package func ending() async -> Ending { await result.value }

    package var hasEnded: Bool { result.isSet }

    /// Sends a signal to the process and to everything in its group.
    package func send(_ signal: Int32) { _ = kill(-id, signal) }

    /// Ends it: SIGTERM, and SIGKILL if it has not ended in time.
    package func stop(grace: Duration) async -> Ending {
        send(SIGTERM)
        // A stopped process would not hear it.
        send(SIGCONT)
        let killer = Task.detached { [self] in
            try? await Task.sleep(for: grace)
            if !Task.isCancelled { send(SIGKILL) }
        }
        let ending = await ending()
        killer.cancel()
        // What it left behind in its group has no business any more.
        send(SIGKILL)
        return ending
    }

    // MARK: The thread

    private typealias StartBox = OneShot<Result<pid_t, SystemError>>
    private typealias ResultBox = OneShot<Ending>

    private static func run(
        _ path: String, _ words: [String], _ environment: [String: String], _ start: StartBox, _ result: ResultBox
    ) {
        let terminal = TerminalOwnership.current()
        do {
            let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let id = try Spawn.start(path, words, variables, ownGroup: true)
            terminal?.give(to: id)
            start.set(.success(id))
            let ending = wait(for: id, terminal)
            terminal?.takeBack(from: id)
            result.set(ending)
        } catch {
            start.set(.failure(error))
        }
    }

    /// Waits until the process has ended. When it is stopped from the terminal, this process stops as well, so that the
    /// user's shell comes back; both go on together.
    private static func wait(for id: pid_t, _ terminal: TerminalOwnership?) -> Ending {
        var status: Int32 = 0
        while true {
            let found = waitpid(id, &status, terminal == nil ? 0 : WUNTRACED)
            if found < 0 {
                guard errno == EINTR else { return .exited(ExitCode.failed) }
                continue
            }
            let low = status & 0x7F
            if low == 0 { return .exited(status >> 8 & 0xFF) }
            guard status & 0xFF == 0x7F else { return .signalled(low) }
            terminal?.takeBack(from: id)
            JobControl.stop()
            terminal?.give(to: id)
            kill(-id, SIGCONT)
        }
    }

    private static func locate(_ program: String, along path: String?) throws(ToolFailure) -> String {
        if program.contains("/") {
            guard access(program, F_OK) == 0 else {
                throw ToolFailure("cannot run \(program): \(Errno.current)", status: ExitCode.commandNotFound)
            }
            return program
        }
        for folder in (path ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":") {
            let candidate = "\(folder)/\(program)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        throw ToolFailure("cannot run \(program): not found along PATH", status: ExitCode.commandNotFound)
    }
}

/// The terminal at the standard input, if this process was in its foreground when it started.
private struct TerminalOwnership: Sendable {
    private let ours: pid_t

    static func current() -> TerminalOwnership? {
        guard isatty(0) == 1, tcgetpgrp(0) == getpgrp() else { return nil }
        return TerminalOwnership(ours: getpgrp())
    }

    /// Gives it to another group, unless this process has been put into the background meanwhile.
    func give(to group: pid_t) { hand(from: ours, to: group) }

    /// Takes it back from that group, unless the user's shell has it by now.
    func takeBack(from group: pid_t) { hand(from: group, to: ours) }

    private func hand(from group: pid_t, to other: pid_t) {
        guard tcgetpgrp(0) == group else { return }
        // A process in the background that calls this is stopped by SIGTTOU unless the thread blocks it.
        var signal = sigset_t()
        sigemptyset(&signal)
        sigaddset(&signal, SIGTTOU)
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, &signal, &before)
        _ = tcsetpgrp(0, other)
        pthread_sigmask(SIG_SETMASK, &before, nil)
    }
}

import CConclavePlatform
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// How a process ended.
package enum ExitStatus: Equatable, Sendable {
    case exited(code: Int32)
    case signalled(Signal)

    /// What a shell would report: the code, or 128 and the signal's number.
    package var shellCode: Int32 {
        switch self {
        case .exited(let code): code
        case .signalled(let signal): 128 + signal.rawValue
        }
    }
}

/// A child process: posix_spawnp(3), started and waited for by a thread of its own, so that a child that asks to be
/// ended with its parent (``ParentProcess/endWithIt(by:)``, which means the thread) lives as long as this process.
///
/// It inherits standard input, output and error and the working directory, and no other descriptor that Conclave
/// opened; all signals have their default action and none is blocked.
package final class ChildProcess: Sendable {
    private struct State {
        var status: ExitStatus?
        var waiters: [CheckedContinuation<ExitStatus, Never>] = []
    }

    /// What the thread and everybody else share.
    private final class Outcome: Sendable {
        let state = Mutex(State())
    }

    package let processID: Int32
    /// The child leads a process group of its own, and signals go to the whole group.
    package let hasOwnGroup: Bool
    private let outcome = Outcome()

    /// Starts a program, searched in PATH unless its name has a slash.
    ///
    /// - Parameter arguments: the program first, never empty.
    /// - Parameter environment: added to this process's own, replacing what bears the same name; `nil` removes.
    /// - Parameter ownGroup: makes a process group, so that ``signal(_:)`` reaches what the child starts in turn. Not
    ///   for programs that read from a terminal: the system stops a background group that does.
    /// - Parameter output: where its standard output and error go instead; its standard input is empty then. Stays the
    ///   caller's to close.
    package init(
        _ arguments: [String], environment: [String: String?] = [:], ownGroup: Bool = false,
        output: FileDescriptor? = nil
    ) throws(SystemError) {
        guard let program = arguments.first, !program.isEmpty else { throw SystemError("posix_spawn", errno: .invalid) }
        hasOwnGroup = ownGroup
        let started = BlockingQueue<Result<Int32, SystemError>>(limit: 1)
        _ = try ThreadHandle(name: "child") { [outcome] in
            let result = Result { () throws(SystemError) in
                try Spawn.start(program, arguments, Self.merged(environment), ownGroup: ownGroup, output: output)
            }
            started.send(result)
            if case .success(let processID) = result { Self.reap(processID, outcome) }
        }
        // Starting takes about a millisecond.
        guard let result = started.receive().first else { preconditionFailure("the queue was closed by nobody") }
        processID = try result.get()
    }

    /// How it ended, or `nil` while it runs.
    package var status: ExitStatus? { outcome.state.withLock { $0.status } }

    /// Waits until it ends. Not cut short by cancellation: a caller that wants that sends a signal.
    package func wait() async -> ExitStatus {
        await withCheckedContinuation { waiter in
            let status = outcome.state.withLock { state in
                if state.status == nil { state.waiters.append(waiter) }
                return state.status
            }
            if let status { waiter.resume(returning: status) }
        }
    }

    /// kill(2), to the group if it has its own. `false` if it has ended: its number is never used for another process.
    @discardableResult
    package func signal(_ signal: Signal) -> Bool {
        // Under the lock the process is not yet reaped, so its number is still its own.
        outcome.state.withLock { state in
            guard state.status == nil else { return false }
            return Signals.send(signal, to: hasOwnGroup ? -processID : processID)
        }
    }

    private static func reap(_ processID: Int32, _ outcome: Outcome) {
        var info = siginfo_t()
        // Waits and leaves the process as it is, so that its number stays taken until the lock is held.
        while waitid(P_PID, id_t(processID), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        let (status, waiters) = outcome.state.withLock { state in
            var number: Int32 = 0
            while waitpid(processID, &number, 0) < 0, errno == EINTR {}
            let status = decode(number)
            state.status = status
            let waiters = state.waiters
            state.waiters = []
            return (status, waiters)
        }
        for waiter in waiters { waiter.resume(returning: status) }
    }

    /// WIFEXITED and its relatives: the low seven bits are the signal, the next byte the code.
    private static func decode(_ number: Int32) -> ExitStatus {
        let signal = number & 0x7F
        return signal == 0 ? .exited(code: (number >> 8) & 0xFF) : .signalled(Signal(rawValue: signal))
    }

    /// This process's environment with the changes, in the form `NAME=value`.
    private static func merged(_ changes: [String: String?]) -> [String] {
        var entries: [String] = []
        var next = conclave_environment()
        while let pointer = next, let text = pointer.pointee {
            let entry = String(cString: text)
            let name = String(entry.prefix { $0 != "=" })
            if changes[name] == nil { entries.append(entry) }
            next = pointer + 1
        }
        for (name, value) in changes.sorted(by: { $0.key < $1.key }) {
            if let value { entries.append(name + "=" + value) }
        }
        return entries
    }
}

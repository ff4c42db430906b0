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

/// A child process: posix_spawnp(3), waited for by a thread of its own.
///
/// It inherits standard input, output and error and the working directory, and no other descriptor that Conclave
/// opened; all signals have their default action and none is blocked.
package final class ChildProcess: Sendable {
    private struct State {
        var status: ExitStatus?
        var waiters: [CheckedContinuation<ExitStatus, Never>] = []
    }

    package let processID: Int32
    /// The child leads a process group of its own, and signals go to the whole group.
    package let hasOwnGroup: Bool
    private let state = Mutex(State())

    /// Starts a program, searched in PATH unless its name has a slash.
    ///
    /// - Parameter arguments: the program first, never empty.
    /// - Parameter environment: added to this process's own, replacing what bears the same name; `nil` removes.
    /// - Parameter ownGroup: makes a process group, so that ``signal(_:)`` reaches what the child starts in turn. Not
    ///   for programs that read from a terminal: the system stops a background group that does.
    package init(
        _ arguments: [String], environment: [String: String?] = [:], ownGroup: Bool = false
    ) throws(SystemError) {
        guard let program = arguments.first, !program.isEmpty else { throw SystemError("posix_spawn", errno: .invalid) }
        hasOwnGroup = ownGroup
        processID = try Self.spawn(arguments, Self.merged(environment), ownGroup: ownGroup)
        do throws(SystemError) {
            _ = try ThreadHandle(name: "child \(processID)") { [self] in reap() }
        } catch {
            // Nobody could learn how it ends: do not leave it running alone.
            Signals.send(.kill, to: processID)
            var status: Int32 = 0
            while waitpid(processID, &status, 0) < 0, errno == EINTR {}
            throw error
        }
    }

    /// How it ended, or `nil` while it runs.
    package var status: ExitStatus? { state.withLock { $0.status } }

    /// Waits until it ends. Not cut short by cancellation: a caller that wants that sends a signal.
    package func wait() async -> ExitStatus {
        await withCheckedContinuation { waiter in
            let status = state.withLock { state in
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
        state.withLock { state in
            guard state.status == nil else { return false }
            return Signals.send(signal, to: hasOwnGroup ? -processID : processID)
        }
    }

    private func reap() {
        var info = siginfo_t()
        // Waits and leaves the process as it is, so that its number stays taken until the lock is held.
        while waitid(P_PID, id_t(processID), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        let (status, waiters) = state.withLock { state in
            var number: Int32 = 0
            while waitpid(processID, &number, 0) < 0, errno == EINTR {}
            let status = Self.decode(number)
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

    private static func spawn(
        _ arguments: [String], _ environment: [String], ownGroup: Bool
    ) throws(SystemError) -> Int32 {
        #if canImport(Darwin)
        var attributes: posix_spawnattr_t?
        #else
        var attributes = posix_spawnattr_t()
        #endif
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        var flags = Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
        if ownGroup {
            posix_spawnattr_setpgroup(&attributes, 0)
            flags |= Int32(POSIX_SPAWN_SETPGROUP)
        }
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var arguments: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer {
            for pointer in arguments { free(pointer) }
            for pointer in environment { free(pointer) }
        }
        var processID: pid_t = 0
        let result = posix_spawnp(&processID, arguments[0]!, nil, &attributes, &arguments, &environment)
        guard result == 0 else {
            throw SystemError("posix_spawn", errno: Errno(rawValue: result))
        }
        return processID
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

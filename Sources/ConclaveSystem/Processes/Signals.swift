import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A signal that a program may want to hear.
package struct Signal: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let hangUp = Signal(rawValue: SIGHUP)
    package static let interrupt = Signal(rawValue: SIGINT)
    package static let quit = Signal(rawValue: SIGQUIT)
    package static let terminate = Signal(rawValue: SIGTERM)
    package static let kill = Signal(rawValue: SIGKILL)
    package static let stop = Signal(rawValue: SIGSTOP)
    package static let resume = Signal(rawValue: SIGCONT)
    package static let user1 = Signal(rawValue: SIGUSR1)
    package static let user2 = Signal(rawValue: SIGUSR2)
    package static let windowChanged = Signal(rawValue: SIGWINCH)

    package var description: String {
        let names: [Signal: String] = [
            .hangUp: "SIGHUP", .interrupt: "SIGINT", .quit: "SIGQUIT", .terminate: "SIGTERM", .kill: "SIGKILL",
            .stop: "SIGSTOP", .resume: "SIGCONT", .user1: "SIGUSR1", .user2: "SIGUSR2", .windowChanged: "SIGWINCH",
        ]
        return names[self] ?? "signal \(rawValue)"
    }
}

/// Signals of the process: a handler set by sigaction(2) writes to a pipe, and a thread reads it and calls back.
///
/// The pipe trick works whatever threads exist already and leaves no signal blocked, so that child processes inherit
/// nothing odd. For command-line tools; a library must not use it.
package enum Signals {
    /// signal(SIGPIPE, SIG_IGN): writing to a pipe whose reader has gone fails with EPIPE instead of ending the
    /// process.
    package static func ignoreBrokenPipe() { signal(SIGPIPE, SIG_IGN) }

    /// Calls `handler` for each of these signals, one at a time, on a thread of its own. Later calls for the same
    /// signal replace earlier ones. Signals of one kind that come close together may be told once.
    package static func handle(
        _ signals: [Signal], with handler: @escaping @Sendable (Signal) -> Void
    ) throws(SystemError) {
        try startReader()
        handlers.withLock { table in
            for signal in signals { table[signal] = handler }
        }
        for signal in signals {
            var action = sigaction()
            action.sa_flags = SA_RESTART
            sigemptyset(&action.sa_mask)
            #if canImport(Darwin)
            action.__sigaction_u.__sa_handler = writeToPipe
            #elseif canImport(Glibc)
            action.__sigaction_handler.sa_handler = writeToPipe
            #else
            action.__sa_handler.sa_handler = writeToPipe
            #endif
            guard sigaction(signal.rawValue, &action, nil) == 0 else { throw SystemError("sigaction(\(signal))") }
        }
    }

    /// The same as a sequence, which keeps the last 16 signals that nobody has looked at.
    package static func stream(of signals: [Signal]) throws(SystemError) -> AsyncStream<Signal> {
        let (stream, continuation) = AsyncStream.makeStream(of: Signal.self, bufferingPolicy: .bufferingNewest(16))
        try handle(signals) { continuation.yield($0) }
        return stream
    }

    /// Gives signals back to the system: the default action, usually the end of the process.
    package static func restoreDefault(_ signals: [Signal]) {
        for number in signals { signal(number.rawValue, SIG_DFL) }
        handlers.withLock { table in
            for signal in signals { table[signal] = nil }
        }
    }

    /// kill(2): sends a signal to a process. `false` if there is none, or it is somebody else's.
    @discardableResult
    package static func send(_ signal: Signal, to processID: Int32) -> Bool {
        #if canImport(Glibc)
        Glibc.kill(processID, signal.rawValue) == 0
        #elseif canImport(Musl)
        Musl.kill(processID, signal.rawValue) == 0
        #else
        Darwin.kill(processID, signal.rawValue) == 0
        #endif
    }

    private static let handlers = Mutex<[Signal: @Sendable (Signal) -> Void]>([:])
    private static let isReading = Mutex(false)

    private static func startReader() throws(SystemError) {
        try isReading.withLock { isReading throws(SystemError) in
            guard !isReading else { return }
            let pipe = try FileDescriptor.pipe()
            // The reader may block; the handler must not.
            try pipe.read.setNonBlocking(false)
            // Set before the first handler is installed, and never again.
            pipeWriteEnd = pipe.write.rawValue
            let readEnd = pipe.read
            _ = try ThreadHandle(name: "signals") { read(from: readEnd) }
            isReading = true
        }
    }

    private static func read(from pipe: FileDescriptor) {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
            while case .bytes(let count) = pipe.read(into: buffer), count > 0 {
                for number in buffer[..<count] {
                    let signal = Signal(rawValue: Int32(number))
                    handlers.withLock { $0[signal] }?(signal)
                }
            }
        }
    }
}

/// Where the signal handler writes. Set once, before the handler can run.
nonisolated(unsafe) private var pipeWriteEnd: Int32 = -1

/// Runs between any two instructions of any thread: it may only make calls that the system allows there, and must leave
/// errno as it was. A full pipe drops the signal; 64 KiB of others are then waiting to be told.
private func writeToPipe(_ number: Int32) {
    let saved = errno
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(pipeWriteEnd, &byte, 1)
    errno = saved
}

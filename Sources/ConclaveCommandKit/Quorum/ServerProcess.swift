import ConclaveSystem
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// One server of `conclave quorum` as a process, in a group of its own so that a key pressed at the terminal does not reach it.
///
/// What it writes goes into a file and, line by line, to whoever listens. It is ended when this process dies, however it dies
/// (Linux only; see ``GuardedExec``).
final class ServerProcess: Sendable {
    /// How much of the output is kept for messages.
    private static let lastLineCount = 8

    let id: Int32
    private let child: ChildProcess
    private let lastLines: KeptLines
    private let isDrained: OneShot<Void>

    /// - Parameters:
    ///   - words: the program and its arguments.
    ///   - guardian: the path of this tool; `nil` starts the program without its help.
    ///   - logPath: the file that the output is appended to.
    init(
        _ words: [String], guardian: String?, logPath: String, onLine: @escaping @Sendable (String) -> Void
    ) throws(SystemError) {
        let log = try Self.openLog(logPath)
        let lastLines = KeptLines(limit: Self.lastLineCount)
        let isDrained = OneShot<Void>()
        var launched = words
        if let guardian, let program = words.first {
            launched = [guardian, GuardedExec.name, "\(getpid())", program] + words
        }
        let pipe = try FileDescriptor.pipe()
        do throws(SystemError) {
            // Neither side is prepared for "not now".
            try pipe.read.setNonBlocking(false)
            try pipe.write.setNonBlocking(false)
            child = try ChildProcess(launched, ownGroup: true, output: pipe.write)
        } catch {
            for file in [pipe.read, pipe.write, log] { file.close() }
            throw error
        }
        pipe.write.close()
        self.lastLines = lastLines
        self.isDrained = isDrained
        id = child.processID
        do throws(SystemError) {
            _ = try ThreadHandle(name: "server output") {
                Self.read(pipe.read, into: log) { line in
                    lastLines.add(line)
                    onLine(line)
                }
                isDrained.set(())
            }
        } catch {
            child.signal(.kill)
            for file in [pipe.read, log] { file.close() }
            throw error
        }
    }

    func signal(_ signal: Signal) {
        child.signal(signal)
        // One that was stopped would not hear it.
        child.signal(.resume)
    }

    /// Waits for its end, and until everything that it wrote has been read. Not affected by cancellation.
    func ending() async -> (status: ExitStatus, lastLines: [String]) {
        let status = await child.wait()
        await isDrained.value
        return (status, lastLines.all)
    }

    private static func openLog(_ path: String) throws(SystemError) -> FileDescriptor {
        let number = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard number >= 0 else { throw SystemError("open \(path)") }
        return FileDescriptor(rawValue: number)
    }

    private static func read(_ pipe: FileDescriptor, into log: FileDescriptor, _ take: (String) -> Void) {
        defer {
            pipe.close()
            log.close()
        }
        var splitter = LineSplitter()
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while case .bytes(let count) = buffer.withUnsafeMutableBytes({ pipe.read(into: $0) }), count > 0 {
            // A full disk is no reason to stop listening.
            try? log.writeAll(buffer[..<count])
            for line in splitter.take(Array(buffer[..<count])) { take(line) }
        }
        for line in splitter.take(nil) { take(line) }
    }
}

/// The newest lines of an output.
private final class KeptLines: Sendable {
    private let limit: Int
    private let lines = Mutex<[String]>([])

    init(limit: Int) { self.limit = limit }

    var all: [String] { lines.withLock { $0 } }

    func add(_ line: String) {
        lines.withLock { lines in
            if lines.count == limit { lines.removeFirst() }
            lines.append(line)
        }
    }
}

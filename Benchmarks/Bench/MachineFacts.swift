import BenchmarkKit
import ConclaveSystem
import Foundation

/// What runs here, and how fast the machine itself is: no server can be faster than that.
enum MachineFacts {
    static func measured(in folder: String) throws -> Results.Machine {
        let host = HostFacts.current
        let syncs = try syncs(in: folder)
        return Results.Machine(
            processor: processorName, processors: ProcessInfo.processInfo.activeProcessorCount,
            memoryMB: host.totalMemoryBytes / 1_000_000,
            system: "\(host.operatingSystem) \(host.release) \(host.architecture)",
            syncMicroseconds: Figure.median(syncs.appending) ?? 0,
            syncP99Microseconds: syncs.appending[syncs.appending.count * 99 / 100],
            overwriteMicroseconds: Figure.median(syncs.overwriting),
            pingPongMicroseconds: try pingPongMicroseconds())
    }

    private static var processorName: String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
    }

    /// The commit of the sources, as far as git(1) tells.
    static var commit: String {
        let words = ["describe", "--always", "--dirty"]
        let folder = ProcessEnvironment.executable.map { URL(fileURLWithPath: $0).deletingLastPathComponent().path() }
        return output(of: ["git"] + words) ?? folder.flatMap { output(of: ["git", "-C", $0] + words) } ?? "unknown"
    }

    static var swiftVersion: String {
        output(of: ["swift", "--version"])?.split(separator: "\n").first.map(String.init) ?? "unknown"
    }

    private static func output(of words: [String]) -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return process.terminationStatus == 0 ? text.trimmingCharacters(in: .whitespacesAndNewlines) : nil
    }

    /// Times of a 4 KiB write with fdatasync(2), sorted: behind the end of a file, and over space that it has already.
    private static func syncs(in folder: String) throws -> (appending: [Double], overwriting: [Double]) {
        let path = folder + "/disk"
        let file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0 else { throw LoadError("\(path) cannot be made: the disk was not measured") }
        defer {
            close(file)
            unlink(path)
        }
        let page = [UInt8](repeating: 1, count: 4096)
        let count = 200
        func sync() {
            #if canImport(Darwin)
            fcntl(file, F_FULLFSYNC)
            #else
            fdatasync(file)
            #endif
        }
        let appending = times(of: count) { _ in
            _ = write(file, page, page.count)
            sync()
        }
        let overwriting = times(of: count) { index in
            _ = pwrite(file, page, page.count, off_t(index * page.count))
            sync()
        }
        return (appending, overwriting)
    }

    private static func pingPongMicroseconds() throws -> Double {
        let listener = try Socket.listen(on: .loopback(port: 0))
        guard let address = listener.localAddress else { return 0 }
        let near = try Socket.stream(.ipv4)
        _ = try? near.connect(to: address)
        var far: Socket?
        while far == nil {
            if case .accepted(let socket, _) = listener.accept() { far = socket }
        }
        guard let far else { return 0 }
        defer {
            for socket in [listener, near, far] { socket.close() }
        }
        for socket in [near, far] {
            try socket.descriptor.setNonBlocking(false)
            var on: Int32 = 1
            setsockopt(
                socket.descriptor.rawValue, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        let echo = far.descriptor.rawValue
        let thread = Thread {
            var bytes = [UInt8](repeating: 0, count: 100)
            while case let count = recv(echo, &bytes, bytes.count, Int32(MSG_WAITALL)), count == bytes.count {
                send(echo, bytes, bytes.count, 0)
            }
        }
        thread.start()
        var bytes = [UInt8](repeating: 0, count: 100)
        let own = near.descriptor.rawValue
        let found = times(of: 2_000) { _ in
            send(own, bytes, bytes.count, 0)
            recv(own, &bytes, bytes.count, Int32(MSG_WAITALL))
        }
        return Figure.median(found) ?? 0
    }

    /// In microseconds, sorted.
    private static func times(of count: Int, _ body: (Int) -> Void) -> [Double] {
        var times: [Double] = []
        for index in 0..<count {
            let begin = ContinuousClock.now
            body(index)
            times.append((ContinuousClock.now - begin) / .microseconds(1))
        }
        return times.sorted()
    }
}

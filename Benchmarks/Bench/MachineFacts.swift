import ConclaveSystem
import Foundation

/// What runs here, and how fast the machine itself is: no server can be faster than that.
enum MachineFacts {
    static func measured() throws -> Results.Machine {
        let host = HostFacts.current
        return Results.Machine(
            processor: processorName, processors: ProcessInfo.processInfo.activeProcessorCount,
            memoryMB: host.totalMemoryBytes / 1_000_000,
            system: "\(host.operatingSystem) \(host.release) \(host.architecture)",
            syncMicroseconds: try syncMicroseconds(), pingPongMicroseconds: try pingPongMicroseconds())
    }

    private static var processorName: String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
    }

    /// The commit of the sources, as far as git(1) tells.
    static var commit: String { output(of: ["git", "describe", "--always", "--dirty"]) ?? "unknown" }

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

    private static func syncMicroseconds() throws -> Double {
        let path = FileManager.default.temporaryDirectory.appending(path: "conclave-bench-\(getpid())").path()
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0 else { return 0 }
        defer {
            close(file)
            unlink(path)
        }
        let page = [UInt8](repeating: 1, count: 4096)
        return median(of: 200) {
            _ = write(file, page, page.count)
            #if canImport(Darwin)
            fcntl(file, F_FULLFSYNC)
            #else
            fdatasync(file)
            #endif
        }
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
        return median(of: 2_000) {
            send(own, bytes, bytes.count, 0)
            recv(own, &bytes, bytes.count, Int32(MSG_WAITALL))
        }
    }

    private static func median(of count: Int, _ body: () -> Void) -> Double {
        var times: [Double] = []
        for _ in 0..<count {
            let begin = ContinuousClock.now
            body()
            times.append((ContinuousClock.now - begin) / .microseconds(1))
        }
        return Figure.median(times) ?? 0
    }
}

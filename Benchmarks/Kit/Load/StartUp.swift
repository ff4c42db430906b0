import ConclaveCore
import ConclaveSystem
import ConclaveWire
import Foundation

/// Starts a server and measures the time to the first acknowledged write, then its resident memory; ends it again.
package struct StartUp {
    let address: SocketAddress
    let command: [String]

    package init(address: SocketAddress, command: [String]) {
        self.address = address
        self.command = command
    }

    package func run() throws -> [String: Double] {
        let server = Process()
        server.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        server.arguments = command
        server.standardInput = FileHandle.nullDevice
        server.standardOutput = FileHandle.nullDevice
        server.standardError = FileHandle.nullDevice
        let begin = SystemClock.now().nanoseconds
        try server.run()
        defer {
            server.terminate()
            server.waitUntilExit()
        }
        try FirstWrite(address: address).wait {
            server.isRunning ? nil : "the server ended with status \(server.terminationStatus)"
        }
        let first = Double(SystemClock.now().nanoseconds - begin) / 1e6
        let process = ServerProcess(pid: server.processIdentifier)
        var values = ["first_write_ms": first]
        if let bytes = process.residentBytes() { values["resident_mb"] = Double(bytes) / 1e6 }
        if let seconds = process.processorSeconds() { values["server_cpu_ms"] = seconds * 1000 }
        return values
    }
}

/// Waits until a server that is starting acknowledges a write.
package struct FirstWrite {
    let address: SocketAddress
    /// How long the server may take.
    var limitSeconds = 180

    package init(address: SocketAddress) { self.address = address }

    /// Tries again every two milliseconds.
    /// - Parameter ended: says why there is nothing to wait for any more.
    package func wait(_ ended: () -> String?) throws {
        let deadline = SystemClock.now().advanced(byMilliseconds: Int64(limitSeconds) * 1_000)
        while true {
            if let reason = ended() { throw LoadError(reason) }
            guard SystemClock.now() < deadline else { throw LoadError("no write within \(limitSeconds) s") }
            do {
                // Apache's server now and then never reads a connection made while it starts: then another one is tried.
                let lane = try Lane(index: 0, to: address, patienceMilliseconds: 500)
                try LoadTree.ensure("/conclave-load-first-write", lane)
                try lane.call(.delete(path: NodePath("/conclave-load-first-write"), version: -1))
                return
            } catch {
                // Not serving yet: refused, closed, or no session.
                usleep(2000)
            }
        }
    }
}

/// Whether anybody is there.
package enum Probe {
    /// Opens a session and closes it again.
    package static func openSession(at address: SocketAddress) throws {
        let lane = try Lane(index: 0, to: address, patienceMilliseconds: 10_000)
        try lane.call(.closeSession)
    }
}

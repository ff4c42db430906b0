import ConclaveCore
import ConclaveSystem
import ConclaveWire
import Foundation

/// Starts a server and measures the time to the first acknowledged write, then its resident memory; ends it again.
package struct StartUp {
    let address: SocketAddress
    let command: [String]
    /// How long the server may take.
    var limitSeconds = 180.0

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
        let first = try firstWrite(server, since: begin)
        let process = ServerProcess(pid: server.processIdentifier)
        var values = ["first_write_ms": first]
        if let bytes = process.residentBytes() { values["resident_mb"] = Double(bytes) / 1e6 }
        if let seconds = process.processorSeconds() { values["server_cpu_ms"] = seconds * 1000 }
        return values
    }

    /// Tries again every two milliseconds until a write is acknowledged.
    private func firstWrite(_ server: Process, since begin: Int64) throws -> Double {
        while true {
            let elapsed = Double(SystemClock.now().nanoseconds - begin) / 1e6
            guard server.isRunning else { throw LoadError("the server ended with status \(server.terminationStatus)") }
            guard elapsed < limitSeconds * 1000 else { throw LoadError("no write within \(limitSeconds) s") }
            do {
                // Apache's server now and then never reads a connection made while it starts: then another one is tried.
                let lane = try Lane(index: 0, to: address, patienceMilliseconds: 500)
                try LoadTree.ensure("/conclave-load-first-write", lane)
                try lane.call(.delete(path: NodePath("/conclave-load-first-write"), version: -1))
                return Double(SystemClock.now().nanoseconds - begin) / 1e6
            } catch {
                // Not serving yet: refused, closed, or no session.
                usleep(2000)
            }
        }
    }
}

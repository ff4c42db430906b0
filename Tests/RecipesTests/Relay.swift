import Foundation
import Synchronization

/// Stands between clients and a server and fails on demand: drops connections, or swallows the next answer and then
/// drops.
///
/// Blocking sockets and threads of its own, so that nothing of what is tested takes part in it.
final class Relay: Sendable {
    private struct State {
        var sockets: Set<Int32> = []
        var losesNextAnswer = false
        var isStopped = false
    }

    let port: Int
    var connectString: String { "127.0.0.1:\(port)" }
    private let listener: Int32
    private let server: Int
    private let state = Mutex(State())

    /// Listens on a free port of loopback and passes everything on to `server`, a port of loopback.
    init(to server: Int) throws {
        self.server = server
        listener = socket(AF_INET, Self.stream, 0)
        var address = Self.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
                guard bind(listener, address, length) == 0, listen(listener, 64) == 0 else { return -1 }
                return getsockname(listener, address, &length)
            }
        }
        guard status == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in acceptAll() }
    }

    /// Cuts every connection; new ones are taken.
    func drop() {
        state.withLock { state in
            state.losesNextAnswer = false
            for socket in state.sockets { shutdown(socket, Self.bothWays) }
        }
    }

    /// Lets requests through, but cuts the connection in place of the next answer.
    func loseNextAnswer() { state.withLock { $0.losesNextAnswer = true } }

    /// Refuses new connections and cuts all others. May be called repeatedly.
    func stop() {
        state.withLock { state in
            // Under the lock the thread that accepts has not closed it yet.
            if !state.isStopped { shutdown(listener, Self.bothWays) }
            state.isStopped = true
        }
        drop()
    }

    // MARK: - Threads

    private func acceptAll() {
        // Only here, and once: the number may be somebody else's a moment later.
        defer { close(listener) }
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else {
                if state.withLock({ $0.isStopped }) { return }
                continue
            }
            let upstream = socket(AF_INET, Self.stream, 0)
            var address = Self.loopback(port: UInt16(server))
            let status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(upstream, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard status == 0 else {
                close(client)
                close(upstream)
                continue
            }
            let isStopped = state.withLock { state in
                if !state.isStopped { state.sockets.formUnion([client, upstream]) }
                return state.isStopped
            }
            guard !isStopped else {
                close(client)
                close(upstream)
                continue
            }
            let open = Shared(2)
            for (from, to, isAnswer) in [(client, upstream, false), (upstream, client, true)] {
                Thread.detachNewThread { [self] in
                    pump(from, to, isAnswer: isAnswer)
                    shutdown(from, Self.bothWays)
                    shutdown(to, Self.bothWays)
                    // Closed only when neither direction uses them, so that no number is taken over by another socket.
                    guard
                        open.change({
                            $0 -= 1; return $0 == 0
                        })
                    else { return }
                    state.withLock {
                        _ = $0.sockets.remove(from); _ = $0.sockets.remove(to)
                    }
                    close(from)
                    close(to)
                }
            }
        }
    }

    private func pump(_ from: Int32, _ to: Int32, isAnswer: Bool) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(from, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            let isLost =
                isAnswer
                && state.withLock { state in
                    defer { state.losesNextAnswer = false }
                    return state.losesNextAnswer
                }
            if isLost { return }
            var sent = 0
            while sent < count {
                let written = buffer[sent..<count].withUnsafeBytes { send(to, $0.baseAddress, $0.count, Self.noSignal) }
                guard written > 0 else { return }
                sent += written
            }
        }
    }

    // MARK: - Systems

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    #if canImport(Glibc)
    private static let stream = Int32(SOCK_STREAM.rawValue)
    private static let noSignal = Int32(MSG_NOSIGNAL)
    #else
    private static let stream = SOCK_STREAM
    private static let noSignal: Int32 = 0
    #endif
    private static let bothWays = Int32(SHUT_RDWR)
}

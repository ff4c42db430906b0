import ConclaveCore
import ConclaveSystem
import ConclaveWire
import Foundation

/// A server that opens sessions and answers nothing on a connection before so many requests have come; then it answers all of
/// them at once, and from then on each as it comes.
final class FakeServer: @unchecked Sendable {
    // What the threads share is never changed.
    let address: SocketAddress
    private let listener: Socket
    private let holdsBack: Int

    init(holdingBack count: Int) throws {
        listener = try Socket.listen(on: .loopback(port: 0))
        guard let address = listener.localAddress else { throw SystemError("getsockname") }
        self.address = address
        holdsBack = count
        try listener.descriptor.setNonBlocking(false)
        let accepting = Thread { [self] in
            while case .accepted(let socket, _) = listener.accept() {
                Thread { [self] in serve(socket) }.start()
            }
        }
        accepting.start()
    }

    /// Ends the thread that accepts; the others end with their connections.
    func stop() { shutdown(listener.descriptor.rawValue, Int32(SHUT_RDWR)) }

    private func serve(_ socket: Socket) {
        defer { socket.close() }
        guard (try? socket.descriptor.setNonBlocking(false)) != nil, frame(socket) != nil else { return }
        var writer = ByteWriter()
        writer.writeConnectFrame(
            ConnectResponse(
                timeoutMilliseconds: 30_000, session: SessionID(rawValue: 7),
                password: [UInt8](repeating: 1, count: 16), readOnly: false))
        write(writer.bytes, socket)
        var waiting: [Int32] = []
        var count = 0
        while let request = frame(socket) {
            var reader = ByteReader(request)
            guard let xid = try? reader.readInt32() else { return }
            waiting.append(xid)
            count += 1
            guard count >= holdsBack else { continue }
            var replies = ByteWriter()
            for xid in waiting { replies.writeReplyFrame(xid: xid, zxid: Zxid(rawValue: 1)) }
            waiting = []
            write(replies.bytes, socket)
        }
    }

    private func frame(_ socket: Socket) -> [UInt8]? {
        guard let length = bytes(4, socket) else { return nil }
        return bytes(length.reduce(0) { $0 << 8 | Int($1) }, socket)
    }

    private func bytes(_ count: Int, _ socket: Socket) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = recv(socket.descriptor.rawValue, &bytes, count, Int32(MSG_WAITALL))
        return got == count ? bytes : nil
    }

    private func write(_ bytes: [UInt8], _ socket: Socket) {
        #if canImport(Darwin)
        let flags: Int32 = 0
        #else
        let flags = Int32(MSG_NOSIGNAL)
        #endif
        _ = send(socket.descriptor.rawValue, bytes, bytes.count, flags)
    }
}

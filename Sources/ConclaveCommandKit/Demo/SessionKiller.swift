import ConclaveClient
import ConclaveCore
import ConclaveSystem
import ConclaveWire

/// Ends a session behind its client's back, as a server does whose time-out has passed.
///
/// Takes the session over on another connection and closes it in the same breath: both requests travel together, so that
/// the client, which comes back within milliseconds, comes too late.
enum SessionKiller {
    static func kill(_ ticket: SessionTicket, at address: SocketAddress) async throws(ToolFailure) {
        let done = OneShot<SystemError?>()
        do {
            // Blocking calls, hence a thread.
            _ = try ThreadHandle(name: "session-killer") {
                do throws(SystemError) {
                    try run(ticket, address)
                    done.set(nil)
                } catch {
                    done.set(error)
                }
            }
        } catch {
            throw ToolFailure("cannot start a thread: \(error)")
        }
        if let error = await done.value { throw ToolFailure("the session could not be killed: \(error)") }
    }

    private static func run(_ ticket: SessionTicket, _ address: SocketAddress) throws(SystemError) {
        let socket = try Socket.stream(address.family)
        defer { socket.close() }
        try socket.descriptor.setNonBlocking(false)
        _ = try socket.connect(to: address)
        var writer = ByteWriter()
        let start = writer.openLength()
        ConnectRequest(
            lastZxidSeen: .zero, timeoutMilliseconds: 3000, session: ticket.session, password: ticket.password,
            readOnly: false
        ).encode(into: &writer)
        writer.closeLength(at: start)
        writer.writeRequestFrame(xid: 1, .closeSession)
        try socket.descriptor.writeAll(writer.bytes)
        // The server answers both and closes the connection.
        var answer: [UInt8] = []
        while case .bytes(let count) = socket.receive(atMost: 4096, appendingTo: &answer), count > 0 {}
    }
}

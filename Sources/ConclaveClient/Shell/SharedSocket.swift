import ConclaveSystem

/// A connected socket that is closed when nobody uses it any more.
///
/// A task may be sending while the loop gives the connection up. Closing then would free the descriptor's number for
/// another file under the sender's hands; so the last reference closes.
final class SharedSocket: Sendable {
    let socket: Socket

    init(_ socket: Socket) { self.socket = socket }

    deinit { socket.close() }
}

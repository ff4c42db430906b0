#if !os(Linux)
import Synchronization
#endif

/// A free port of 127.0.0.1 that stays ours for as long as this value lives, also while nobody listens on it.
///
/// On Linux a socket that is bound and never listens holds it: servers of this process and of its children can listen there
/// (all use SO_REUSEADDR), but the system gives the port to nobody who asks for any, and begins no connection from it.
/// Elsewhere a port can be bound only once: there the socket that holds it is the one that ``listen(backlog:)`` hands out
/// first, and between the end of that one and the next call another process could take the port.
package final class ReservedPort: Sendable {
    package let number: UInt16
    #if os(Linux)
    private let holder: Socket
    #else
    private let holder = Mutex<Socket?>(nil)
    #endif

    /// bind(2)
    ///
    /// - Parameter number: 0 lets the system choose.
    /// - Throws: `EADDRINUSE` if somebody listens there.
    package init(_ number: UInt16 = 0) throws(SystemError) {
        #if os(Linux)
        let socket = try Socket.bound(to: .loopback(port: number))
        #else
        let socket = try Socket.listen(on: .loopback(port: number))
        #endif
        guard let address = socket.localAddress else {
            socket.close()
            throw SystemError("getsockname")
        }
        self.number = address.port
        #if os(Linux)
        holder = socket
        #else
        holder.withLock { $0 = socket }
        #endif
    }

    /// A socket that listens on the port. It belongs to the caller; one at a time.
    package func listen(backlog: Int32 = 1024) throws(SystemError) -> Socket {
        #if !os(Linux)
        let held = holder.withLock { holder in
            defer { holder = nil }
            return holder
        }
        if let held { return held }
        #endif
        return try Socket.listen(on: .loopback(port: number), backlog: backlog)
    }

    /// Lets a child process listen on the port.
    package func lend() {
        #if !os(Linux)
        holder.withLock { holder in
            holder?.close()
            holder = nil
        }
        #endif
    }

    deinit {
        #if os(Linux)
        holder.close()
        #else
        holder.withLock { $0?.close() }
        #endif
    }
}

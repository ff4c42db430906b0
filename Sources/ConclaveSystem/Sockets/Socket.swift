import CConclavePlatform

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A stream socket: non-blocking, closed on exec, never raising SIGPIPE. The plain number, without ownership.
package struct Socket: Hashable, Sendable {
    package let descriptor: FileDescriptor

    @inlinable
    package init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

    /// How a connection attempt stands.
    package enum ConnectProgress: Equatable, Sendable {
        case connected
        /// Wait until the socket is writable, then call ``finishConnecting()``.
        case inProgress
    }

    /// What one accept(2) brought.
    package enum AcceptResult: Equatable, Sendable {
        /// A new connection, non-blocking, and where it comes from (`nil` only for local sockets).
        case accepted(Socket, from: SocketAddress?)
        /// Nobody is waiting.
        case wouldBlock
        /// The connection was given up by its peer before it could be accepted: try again.
        case aborted
        case failed(Errno)
    }

    /// socket(2) for TCP.
    package static func stream(_ family: SocketAddress.Family) throws(SystemError) -> Socket {
        let domain = family == .ipv4 ? AF_INET : AF_INET6
        #if canImport(Darwin)
        let number = socket(domain, SOCK_STREAM, 0)
        #elseif canImport(Glibc)
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let number = socket(domain, type, 0)
        #else
        let number = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
        #endif
        guard number >= 0 else { throw SystemError("socket") }
        let made = Socket(FileDescriptor(rawValue: number))
        #if canImport(Darwin)
        try made.prepareOnDarwin()
        #endif
        return made
    }

    /// socketpair(2): two connected local stream sockets.
    package static func pair() throws(SystemError) -> (Socket, Socket) {
        var ends: [Int32] = [-1, -1]
        #if canImport(Darwin)
        let type = SOCK_STREAM
        #elseif canImport(Glibc)
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        #else
        let type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC
        #endif
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw SystemError("socketpair") }
        let pair = (Socket(FileDescriptor(rawValue: ends[0])), Socket(FileDescriptor(rawValue: ends[1])))
        #if canImport(Darwin)
        try pair.0.prepareOnDarwin()
        try pair.1.prepareOnDarwin()
        #endif
        return pair
    }

    /// socket(2) and bind(2): has a local address, reused if it is in TIME_WAIT; port 0 lets the system choose.
    ///
    /// - Parameter onlyIPv6: whether a listener on `[::]` leaves IPv4 alone.
    package static func bound(to address: SocketAddress, onlyIPv6: Bool = false) throws(SystemError) -> Socket {
        let made = try stream(address.family)
        do throws(SystemError) {
            try made.setOption(SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR")
            if address.family == .ipv6 {
                try made.setOption(ipv6Level, IPV6_V6ONLY, onlyIPv6 ? 1 : 0, "IPV6_V6ONLY")
            }
            let number = made.descriptor.rawValue
            guard address.withSystemAddress({ bind(number, $0, $1) }) == 0 else {
                throw SystemError("bind \(address)")
            }
            return made
        } catch {
            made.close()
            throw error
        }
    }

    /// ``bound(to:onlyIPv6:)`` and listen(2).
    ///
    /// - Parameter backlog: connections that may wait to be accepted; the system cuts it to its own limit.
    package static func listen(
        on address: SocketAddress, backlog: Int32 = 1024, onlyIPv6: Bool = false
    ) throws(SystemError) -> Socket {
        let made = try bound(to: address, onlyIPv6: onlyIPv6)
        guard systemListen(made.descriptor.rawValue, backlog) == 0 else {
            let error = SystemError("listen \(address)")
            made.close()
            throw error
        }
        return made
    }

    /// connect(2), without waiting.
    package func connect(to address: SocketAddress) throws(SystemError) -> ConnectProgress {
        let number = descriptor.rawValue
        guard address.withSystemAddress({ systemConnect(number, $0, $1) }) != 0 else { return .connected }
        switch Errno.current {
        // An interrupted connect goes on by itself.
        case .inProgress, .interrupted: return .inProgress
        case let errno: throw SystemError("connect \(address)", errno: errno)
        }
    }

    /// getsockopt(SO_ERROR): how the attempt ended, once the socket is writable. Throws what a blocking connect would
    /// have.
    package func finishConnecting() throws(SystemError) {
        let errno = pendingError
        guard errno.rawValue == 0 else { throw SystemError("connect", errno: errno) }
    }

    /// getsockopt(SO_ERROR): the error that waits at the socket, 0 if there is none. Reading it clears it.
    package var pendingError: Errno {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor.rawValue, SOL_SOCKET, SO_ERROR, &value, &length) == 0 else { return .current }
        return Errno(rawValue: value)
    }

    /// accept4(2) (accept(2) on Darwin), once.
    package func accept() -> AcceptResult {
        let number = descriptor.rawValue
        while true {
            #if canImport(Darwin)
            let (accepted, address) = SocketAddress.filled { Darwin.accept(number, $0, $1) }
            #else
            let (accepted, address) = SocketAddress.filled { conclave_accept(number, $0, $1) }
            #endif
            if accepted >= 0 {
                let made = Socket(FileDescriptor(rawValue: accepted))
                #if canImport(Darwin)
                do { try made.prepareOnDarwin() } catch { return .aborted }
                #endif
                return .accepted(made, from: address)
            }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            // accept(2) hands on errors of the network below; they concern that one connection only.
            case ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT, EPERM, ETIMEDOUT:
                return .aborted
            case let number: return .failed(Errno(rawValue: number))
            }
        }
    }

    /// close(2).
    package func close() { descriptor.close() }

    #if canImport(Darwin)
    /// What Linux does with flags at birth.
    private func prepareOnDarwin() throws(SystemError) {
        do throws(SystemError) {
            try descriptor.setNonBlocking()
            try descriptor.setCloseOnExec()
            try setOption(SOL_SOCKET, SO_NOSIGPIPE, 1, "SO_NOSIGPIPE")
        } catch {
            close()
            throw error
        }
    }
    #endif
}

// The system's functions under names that the methods of Socket do not hide.
private func systemListen(_ descriptor: Int32, _ backlog: Int32) -> Int32 { listen(descriptor, backlog) }
private func systemConnect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
    connect(descriptor, address, length)
}

#if canImport(Glibc)
private let ipv6Level = Int32(IPPROTO_IPV6)
#else
private let ipv6Level = IPPROTO_IPV6
#endif

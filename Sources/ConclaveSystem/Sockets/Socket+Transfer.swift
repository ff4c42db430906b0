#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension Socket {
    /// recv(2), once, repeated when interrupted.
    package func receive(into buffer: UnsafeMutableRawBufferPointer) -> TransferResult {
        while true {
            let count = recv(descriptor.rawValue, buffer.baseAddress, buffer.count, 0)
            guard let result = TransferResult(count) else { continue }
            return result
        }
    }

    /// recv(2) of up to `count` bytes behind the end of an array.
    package func receive(atMost count: Int, appendingTo bytes: inout [UInt8]) -> TransferResult {
        var result = TransferResult.wouldBlock
        bytes.append(addingCapacity: count) { space in
            space.withUnsafeMutableBufferPointer { space, received in
                result = receive(
                    into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(space)[..<count]))
                if case .bytes(let count) = result { received = count }
            }
        }
        return result
    }

    /// send(2), once, repeated when interrupted; no SIGPIPE. Any thread may call it; calls at the same time may
    /// interleave.
    package func send(_ bytes: UnsafeRawBufferPointer) -> TransferResult {
        while true {
            #if canImport(Darwin)
            let count = Darwin.send(descriptor.rawValue, bytes.baseAddress, bytes.count, 0)
            #elseif canImport(Glibc)
            let count = Glibc.send(descriptor.rawValue, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            #else
            let count = Musl.send(descriptor.rawValue, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            #endif
            guard let result = TransferResult(count) else { continue }
            return result
        }
    }

    /// send(2) of a span.
    package func send(_ bytes: Span<UInt8>) -> TransferResult { bytes.withUnsafeBytes { send($0) } }

    /// send(2) of what an array holds from an offset on. The offset must lie within the array or at its end.
    package func send(_ bytes: [UInt8], from offset: Int) -> TransferResult {
        bytes.withUnsafeBytes { send(UnsafeRawBufferPointer(rebasing: $0[offset...])) }
    }

    /// shutdown(SHUT_WR): tells the peer that nothing more will come. A peer that has gone already is no error.
    package func finishSending() { _ = shutdown(descriptor.rawValue, Int32(SHUT_WR)) }

    /// shutdown(2) and close(2) of a socket that listens.
    ///
    /// A process that is being started at this moment has a copy of every descriptor until it becomes its program; closing
    /// alone would leave the port in use until then.
    package func stopListening() {
        _ = shutdown(descriptor.rawValue, Int32(SHUT_RDWR))
        close()
    }

    /// Sets SO_LINGER to 0 and closes: the peer gets a reset, and what was not sent is dropped.
    package func reset() {
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor.rawValue, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// getsockname(2).
    package var localAddress: SocketAddress? {
        SocketAddress.filled { getsockname(descriptor.rawValue, $0, $1) }.address
    }

    /// getpeername(2); `nil` when not connected.
    package var peerAddress: SocketAddress? {
        SocketAddress.filled { getpeername(descriptor.rawValue, $0, $1) }.address
    }

    /// TCP_NODELAY: small segments leave at once.
    package func setNoDelay(_ isOn: Bool = true) throws(SystemError) {
        try setOption(Self.tcpLevel, TCP_NODELAY, isOn ? 1 : 0, "TCP_NODELAY")
    }

    /// SO_KEEPALIVE, and after how many seconds of silence the first probe goes out, how far apart they are and how
    /// many may stay without an answer.
    package func setKeepAlive(idleSeconds: Int32 = 60, intervalSeconds: Int32 = 10, count: Int32 = 6)
        throws(SystemError)
    {
        try setOption(SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE")
        #if canImport(Darwin)
        try setOption(Self.tcpLevel, TCP_KEEPALIVE, idleSeconds, "TCP_KEEPALIVE")
        #else
        try setOption(Self.tcpLevel, TCP_KEEPIDLE, idleSeconds, "TCP_KEEPIDLE")
        #endif
        try setOption(Self.tcpLevel, TCP_KEEPINTVL, intervalSeconds, "TCP_KEEPINTVL")
        try setOption(Self.tcpLevel, TCP_KEEPCNT, count, "TCP_KEEPCNT")
    }

    /// SO_SNDBUF. Linux doubles the number and has a minimum of its own.
    package func setSendBuffer(bytes: Int32) throws(SystemError) {
        try setOption(SOL_SOCKET, SO_SNDBUF, bytes, "SO_SNDBUF")
    }

    /// SO_RCVBUF. Linux doubles the number and has a minimum of its own.
    package func setReceiveBuffer(bytes: Int32) throws(SystemError) {
        try setOption(SOL_SOCKET, SO_RCVBUF, bytes, "SO_RCVBUF")
    }

    /// setsockopt(2) of a number.
    func setOption(_ level: Int32, _ option: Int32, _ value: Int32, _ name: StaticString) throws(SystemError) {
        var value = value
        let size = socklen_t(MemoryLayout<Int32>.size)
        guard setsockopt(descriptor.rawValue, level, option, &value, size) == 0 else {
            throw SystemError("setsockopt(\(name))")
        }
    }

    #if canImport(Glibc)
    private static var tcpLevel: Int32 { Int32(IPPROTO_TCP) }
    #else
    private static var tcpLevel: Int32 { IPPROTO_TCP }
    #endif
}

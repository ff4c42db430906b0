import CConclavePlatform

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// An open file, socket or pipe of this process: the plain number, without ownership.
///
/// Whoever opened it closes it, once. Everything made here is closed on exec.
package struct FileDescriptor: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int32

    @inlinable
    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let standardInput = FileDescriptor(rawValue: 0)
    package static let standardOutput = FileDescriptor(rawValue: 1)
    package static let standardError = FileDescriptor(rawValue: 2)

    /// close(2). An interrupted close is not repeated: the number is free already on Linux and may be somebody else's.
    package func close() {
        #if canImport(Glibc)
        _ = Glibc.close(rawValue)
        #elseif canImport(Musl)
        _ = Musl.close(rawValue)
        #else
        _ = Darwin.close(rawValue)
        #endif
    }

    /// read(2), once, repeated when interrupted.
    package func read(into buffer: UnsafeMutableRawBufferPointer) -> TransferResult {
        while true {
            #if canImport(Glibc)
            let count = Glibc.read(rawValue, buffer.baseAddress, buffer.count)
            #elseif canImport(Musl)
            let count = Musl.read(rawValue, buffer.baseAddress, buffer.count)
            #else
            let count = Darwin.read(rawValue, buffer.baseAddress, buffer.count)
            #endif
            guard let result = TransferResult(count) else { continue }
            return result
        }
    }

    /// write(2), once, repeated when interrupted. A pipe without a reader raises SIGPIPE; see
    /// ``Signals/ignoreBrokenPipe()``.
    package func write(_ bytes: UnsafeRawBufferPointer) -> TransferResult {
        while true {
            #if canImport(Glibc)
            let count = Glibc.write(rawValue, bytes.baseAddress, bytes.count)
            #elseif canImport(Musl)
            let count = Musl.write(rawValue, bytes.baseAddress, bytes.count)
            #else
            let count = Darwin.write(rawValue, bytes.baseAddress, bytes.count)
            #endif
            guard let result = TransferResult(count) else { continue }
            return result
        }
    }

    /// write(2) until everything is written. For blocking descriptors.
    package func writeAll(_ bytes: some Collection<UInt8>) throws(SystemError) {
        let whole = Array(bytes)
        var sent = 0
        while sent < whole.count {
            let result = whole.withUnsafeBytes { write(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
            switch result {
            case .bytes(let count): sent += count
            case .wouldBlock: throw SystemError("write", errno: .wouldBlock)
            case .failed(let errno): throw SystemError("write", errno: errno)
            }
        }
    }

    /// fcntl(F_SETFL): switches O_NONBLOCK.
    package func setNonBlocking(_ isOn: Bool = true) throws(SystemError) {
        let flags = fcntl(rawValue, F_GETFL)
        guard flags >= 0 else { throw SystemError("fcntl(F_GETFL)") }
        guard fcntl(rawValue, F_SETFL, isOn ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) >= 0 else {
            throw SystemError("fcntl(F_SETFL)")
        }
    }

    /// fcntl(F_SETFD, FD_CLOEXEC).
    package func setCloseOnExec() throws(SystemError) {
        guard fcntl(rawValue, F_SETFD, FD_CLOEXEC) >= 0 else { throw SystemError("fcntl(F_SETFD)") }
    }

    /// isatty(3).
    package var isTerminal: Bool { isatty(rawValue) == 1 }

    /// open(2) of /dev/null: a number to give up when there are no others left.
    package static func reserve() throws(SystemError) -> FileDescriptor {
        let number = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("open /dev/null") }
        return FileDescriptor(rawValue: number)
    }

    /// pipe(2), both ends non-blocking and closed on exec.
    package static func pipe() throws(SystemError) -> (read: FileDescriptor, write: FileDescriptor) {
        var ends: (Int32, Int32) = (-1, -1)
        let result = withUnsafeMutableBytes(of: &ends) { raw in
            // A tuple of two Int32 has the layout of the array that pipe(2) fills.
            raw.withMemoryRebound(to: Int32.self) { systemPipe($0.baseAddress!) }
        }
        guard result == 0 else { throw SystemError("pipe") }
        let pair = (read: FileDescriptor(rawValue: ends.0), write: FileDescriptor(rawValue: ends.1))
        do throws(SystemError) {
            for end in [pair.read, pair.write] {
                try end.setNonBlocking()
                try end.setCloseOnExec()
            }
        } catch {
            pair.read.close()
            pair.write.close()
            throw error
        }
        return pair
    }
}

private func systemPipe(_ ends: UnsafeMutablePointer<Int32>) -> Int32 {
    #if canImport(Glibc)
    Glibc.pipe(ends)
    #elseif canImport(Musl)
    Musl.pipe(ends)
    #else
    Darwin.pipe(ends)
    #endif
}

/// What one read or write came to. Not an error type, because on a non-blocking descriptor "not now" is the normal
/// case.
package enum TransferResult: Equatable, Sendable {
    /// So many bytes; 0 from a read means that the other side has finished.
    case bytes(Int)
    /// EAGAIN: wait until the descriptor is ready.
    case wouldBlock
    case failed(Errno)

    /// Reads the return value of a transfer and errno; `nil` if it was interrupted and must be repeated.
    @inline(__always)
    init?(_ count: Int) {
        if count >= 0 {
            self = .bytes(count)
            return
        }
        switch errno {
        case EINTR: return nil
        case EAGAIN: self = .wouldBlock
        case let number: self = .failed(Errno(rawValue: number))
        }
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The number that the C library leaves in `errno`, with the text of strerror(3).
package struct Errno: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int32

    @inlinable
    package init(rawValue: Int32) { self.rawValue = rawValue }

    /// What the last failed call of this thread left behind.
    package static var current: Errno { Errno(rawValue: errno) }

    package static let interrupted = Errno(rawValue: EINTR)
    package static let wouldBlock = Errno(rawValue: EAGAIN)
    package static let inProgress = Errno(rawValue: EINPROGRESS)
    package static let notFound = Errno(rawValue: ENOENT)
    package static let exists = Errno(rawValue: EEXIST)
    package static let noSpace = Errno(rawValue: ENOSPC)
    package static let overQuota = Errno(rawValue: EDQUOT)
    package static let notPermitted = Errno(rawValue: EPERM)
    package static let accessDenied = Errno(rawValue: EACCES)
    package static let readOnlyFileSystem = Errno(rawValue: EROFS)
    package static let badDescriptor = Errno(rawValue: EBADF)
    package static let invalid = Errno(rawValue: EINVAL)
    package static let tooManyOpenFiles = Errno(rawValue: EMFILE)
    package static let tooManyOpenFilesInSystem = Errno(rawValue: ENFILE)
    package static let noBuffers = Errno(rawValue: ENOBUFS)
    package static let noMemory = Errno(rawValue: ENOMEM)
    package static let brokenPipe = Errno(rawValue: EPIPE)
    package static let connectionReset = Errno(rawValue: ECONNRESET)
    package static let connectionRefused = Errno(rawValue: ECONNREFUSED)
    package static let connectionAborted = Errno(rawValue: ECONNABORTED)
    package static let timedOut = Errno(rawValue: ETIMEDOUT)
    package static let addressInUse = Errno(rawValue: EADDRINUSE)
    package static let cancelled = Errno(rawValue: ECANCELED)
    package static let notSupported = Errno(rawValue: EOPNOTSUPP)

    /// Whether the process, the system or the kernel's memory has no room for one more descriptor or socket.
    package var isDescriptorShortage: Bool {
        self == .tooManyOpenFiles || self == .tooManyOpenFilesInSystem || self == .noBuffers || self == .noMemory
    }

    package var description: String {
        // strerror_r has two signatures in the wild. strerror gives constant texts for the numbers the system makes, so
        // two threads cannot disturb each other.
        guard let text = strerror(rawValue) else { return "error \(rawValue)" }
        return String(cString: text)
    }
}

/// A call into the operating system failed.
package struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    package let errno: Errno
    /// The C function, and what it was asked to do if that helps a person.
    package let call: String

    package init(_ call: String, errno: Errno = .current) {
        self.errno = errno
        self.call = call
    }

    package var description: String { call + ": " + errno.description }
}

import ConclaveCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Keeps a second server away from a data directory: flock(2) on a file in it, which the system lets go when the
/// process ends, however it ends.
///
/// The file stays behind when the lock is gone; it holds the process id of its last owner, in digits. Do not delete it:
/// two servers could then lock two files of the same name.
package final class DirectoryLock: Sendable {
    /// The name of the file.
    package static let fileName = "conclave.lock"

    /// Why there is no lock.
    package enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        /// Another process, or another server in this one, uses the directory. The process id is `nil` if it cannot be
        /// known.
        case inUse(directory: String, processID: Int32?)
        case system(SystemError)

        package var description: String {
            switch self {
            case .inUse(let directory, let processID):
                "another server uses \(directory)" + (processID.map { " (process \($0))" } ?? "")
            case .system(let error): error.description
            }
        }
    }

    private let file: FileDescriptor

    /// Locks a directory that exists.
    package init(_ directory: String) throws(Failure) {
        let path = directory + "/" + Self.fileName
        let number = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard number >= 0 else { throw .system(SystemError("open \(path)")) }
        let file = FileDescriptor(rawValue: number)
        while flock(number, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            let error = SystemError("flock \(path)")
            let owner = Self.readOwner(of: file)
            file.close()
            guard error.errno == .wouldBlock else { throw .system(error) }
            throw .inUse(directory: directory, processID: owner)
        }
        // The number is for people; the lock holds without it, for instance on a full disk.
        _ = ftruncate(number, 0)
        var text = String(getpid()) + "\n"
        text.withUTF8 { _ = pwrite(number, $0.baseAddress, $0.count, 0) }
        self.file = file
    }

    /// Lets go of the directory when the last reference is gone.
    deinit {
        _ = ftruncate(file.rawValue, 0)
        file.close()
    }

    private static func readOwner(of file: FileDescriptor) -> Int32? {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { buffer in
            let count = pread(file.rawValue, buffer.baseAddress, buffer.count, 0)
            guard count > 0 else { return nil }
            let digits = buffer[..<count].prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
            return Int32(String(decoding: digits, as: UTF8.self))
        }
    }
}

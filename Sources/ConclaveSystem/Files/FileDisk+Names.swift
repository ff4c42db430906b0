import ConclaveCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Where files are, and who may read them.
extension FileDisk {
    /// A path that means the same from every working directory; links in it stay.
    package static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        let directory = HostFacts.current.workingDirectory
        return directory.hasSuffix("/") ? directory + path : directory + "/" + path
    }

    /// The file that a path leads to when all links have been followed: realpath(3).
    package func resolvingLinks(_ path: String) throws(DiskError) -> String {
        guard let buffer = realpath(path, nil) else {
            let number = Errno(rawValue: errno)
            throw DiskError(
                number == .notFound ? .notFound : .other(errno: number.rawValue), path: path,
                message: "realpath: \(number)")
        }
        defer { free(buffer) }
        return String(cString: buffer)
    }

    /// Lets the same users read and write a file as another: stat(2), chmod(2).
    package func copyPermissions(of path: String, to other: String) throws(DiskError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Self.failure("stat", path) }
        guard chmod(other, status.st_mode & 0o7777) == 0 else { throw Self.failure("chmod", other) }
    }

    private static func failure(_ call: String, _ path: String) -> DiskError {
        let number = Errno(rawValue: errno)
        return DiskError(.other(errno: number.rawValue), path: path, message: "\(call): \(number)")
    }
}

import ConclaveCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The disk of this machine behind storage's seam.
///
/// Without state: the system keeps it. Every call blocks, and repeats what was interrupted.
package struct FileDisk: Disk, Sendable {
    /// An open file; the path is for messages.
    package struct File: Sendable {
        package let descriptor: FileDescriptor
        package let path: String
    }

    /// Writes zeros to the space it reserves, so that the blocks are not only taken but initialised.
    ///
    /// On ext4 a write and sync of 4 KiB then takes 24 to 28 µs instead of 40, which it takes into space that is only
    /// reserved as well as behind the end. The price is 0.15 ms for each MiB, and 0.3 ms more in the next sync: reserve
    /// a few MiB at a time.
    package let initialisesReservedSpace: Bool

    package init(initialisesReservedSpace: Bool = false) { self.initialisesReservedSpace = initialisesReservedSpace }

    // MARK: Folders

    /// opendir(3), readdir(3)
    package mutating func list(_ directory: String) throws(DiskError) -> [String] {
        guard let stream = opendir(directory) else { throw Self.error("opendir", directory) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw Self.error("readdir", directory) }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) {
                    String(cString: $0)
                }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// mkdir(2), from the top down
    package mutating func createDirectory(_ directory: String) throws(DiskError) {
        if mkdir(directory, 0o755) == 0 { return }
        switch errno {
        case EEXIST:
            guard try Self.isDirectory(directory) else {
                throw DiskError(.exists, path: directory, message: "mkdir: a file of that name exists")
            }
        case ENOENT:
            guard let slash = directory.dropLast(while: "/").lastIndex(of: "/"), slash != directory.startIndex else {
                throw Self.error("mkdir", directory, ENOENT)
            }
            try createDirectory(String(directory[..<slash]))
            guard mkdir(directory, 0o755) == 0 || errno == EEXIST else { throw Self.error("mkdir", directory) }
        case let number: throw Self.error("mkdir", directory, number)
        }
    }

    /// fsync(2) of the folder
    package mutating func synchronizeDirectory(_ directory: String) throws(DiskError) {
        let file = try openFile(directory, O_RDONLY | O_DIRECTORY)
        defer { close(file) }
        while fsync(file.descriptor.rawValue) != 0 {
            guard errno == EINTR else { throw Self.error("fsync", directory) }
        }
    }

    // MARK: Files

    package mutating func open(_ path: String) throws(DiskError) -> File { try openFile(path, O_RDONLY) }

    package mutating func openForWriting(_ path: String) throws(DiskError) -> File { try openFile(path, O_RDWR) }

    package mutating func create(_ path: String) throws(DiskError) -> File {
        try openFile(path, O_RDWR | O_CREAT | O_EXCL)
    }

    package mutating func close(_ file: File) { file.descriptor.close() }

    package mutating func size(of file: File) throws(DiskError) -> Int64 {
        var status = stat()
        guard fstat(file.descriptor.rawValue, &status) == 0 else { throw Self.error("fstat", file.path) }
        return Int64(status.st_size)
    }

    /// pread(2) until all is read or the file ends
    package mutating func read(
        _ file: File, at offset: Int64, count: Int, into buffer: inout [UInt8]
    ) throws(DiskError) -> Int {
        guard count > 0 else { return 0 }
        let before = buffer.count
        try buffer.append(addingCapacity: count) { space throws(DiskError) in
            try space.withUnsafeMutableBufferPointer { space, done throws(DiskError) in
                // There is room for at least one byte, so there is an address.
                while done < count {
                    let result = pread(
                        file.descriptor.rawValue, space.baseAddress! + done, count - done, off_t(offset) + off_t(done))
                    if result > 0 {
                        done += result
                    } else if result == 0 {
                        return
                    } else if errno != EINTR {
                        let error = Self.error("pread", file.path)
                        done = 0
                        throw error
                    }
                }
            }
        }
        return buffer.count - before
    }

    /// pwrite(2) until all is written
    package mutating func write(_ file: File, _ bytes: Span<UInt8>, at offset: Int64) throws(DiskError) {
        var done = 0
        while done < bytes.count {
            let result = bytes.withUnsafeBytes {
                pwrite(file.descriptor.rawValue, $0.baseAddress! + done, $0.count - done, off_t(offset) + off_t(done))
            }
            if result > 0 {
                done += result
            } else if result == 0 {
                // Does not happen to files; but if it did, going on would never end.
                throw Self.error("pwrite", file.path, EIO)
            } else if errno != EINTR {
                throw Self.error("pwrite", file.path)
            }
        }
    }

    /// posix_fallocate(3), fcntl(F_PREALLOCATE) on Darwin; zeros are written where the file system does not know how
    package mutating func preallocate(_ file: File, size: Int64) throws(DiskError) {
        let old = try self.size(of: file)
        guard size > old else { return }
        switch reserve(file, from: old, to: size) {
        case 0: if initialisesReservedSpace { try writeZeros(file, from: old, to: size) }
        case EINVAL, EOPNOTSUPP, ENOSYS, ENOTSUP: try writeZeros(file, from: old, to: size)
        case let number: throw Self.error("preallocate", file.path, number)
        }
    }

    /// ftruncate(2)
    package mutating func truncate(_ file: File, to size: Int64) throws(DiskError) {
        while ftruncate(file.descriptor.rawValue, off_t(size)) != 0 {
            guard errno == EINTR else { throw Self.error("ftruncate", file.path) }
        }
    }

    /// fdatasync(2), which includes the file's size; fcntl(F_FULLFSYNC) on Darwin, where fsync(2) leaves the drive's
    /// cache alone
    package mutating func synchronize(_ file: File) throws(DiskError) {
        #if canImport(Darwin)
        while fcntl(file.descriptor.rawValue, F_FULLFSYNC) != 0 {
            if errno == EINTR { continue }
            // Network file systems do not know the command.
            guard errno == ENOTSUP || errno == EINVAL, fsync(file.descriptor.rawValue) == 0 else {
                throw Self.error("fcntl(F_FULLFSYNC)", file.path)
            }
            return
        }
        #else
        // An interrupted call has reported no failed write, so asking again loses none. Every other error is final.
        while fdatasync(file.descriptor.rawValue) != 0 {
            guard errno == EINTR else { throw Self.error("fdatasync", file.path) }
        }
        #endif
    }

    // MARK: Names

    /// rename(2)
    package mutating func rename(_ path: String, to newPath: String) throws(DiskError) {
        guard systemRename(path, newPath) == 0 else { throw Self.error("rename to \(newPath)", path) }
    }

    /// unlink(2)
    package mutating func remove(_ path: String) throws(DiskError) {
        guard unlink(path) == 0 else { throw Self.error("unlink", path) }
    }

    /// stat(2)
    package mutating func exists(_ path: String) throws(DiskError) -> Bool {
        var status = stat()
        if stat(path, &status) == 0 { return true }
        guard errno == ENOENT || errno == ENOTDIR else { throw Self.error("stat", path) }
        return false
    }

    // MARK: Parts

    private func openFile(_ path: String, _ flags: Int32) throws(DiskError) -> File {
        while true {
            let number = systemOpen(path, flags | O_CLOEXEC, 0o644)
            if number >= 0 { return File(descriptor: FileDescriptor(rawValue: number), path: path) }
            guard errno == EINTR else { throw Self.error("open", path) }
        }
    }

    private static func isDirectory(_ path: String) throws(DiskError) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { throw error("stat", path) }
        return status.st_mode & S_IFMT == S_IFDIR
    }

    /// Returns an error number, 0 if it worked.
    private func reserve(_ file: File, from old: Int64, to size: Int64) -> Int32 {
        let number = file.descriptor.rawValue
        #if canImport(Darwin)
        var store = fstore_t(
            fst_flags: UInt32(F_ALLOCATEALL), fst_posmode: F_PEOFPOSMODE, fst_offset: 0, fst_length: off_t(size - old),
            fst_bytesalloc: 0)
        guard fcntl(number, F_PREALLOCATE, &store) == 0, ftruncate(number, off_t(size)) == 0 else { return errno }
        return 0
        #else
        while true {
            let result = posix_fallocate(number, off_t(old), off_t(size - old))
            if result != EINTR { return result }
        }
        #endif
    }

    private mutating func writeZeros(_ file: File, from old: Int64, to size: Int64) throws(DiskError) {
        let zeros = [UInt8](repeating: 0, count: 1 << 16)
        var offset = old
        while offset < size {
            let count = Int(min(Int64(zeros.count), size - offset))
            try write(file, zeros.span.extracting(first: count), at: offset)
            offset += Int64(count)
        }
    }

    private static func error(_ call: String, _ path: String, _ number: Int32 = errno) -> DiskError {
        let errno = Errno(rawValue: number)
        let reason: DiskError.Reason =
            switch errno {
            case .notFound: .notFound
            case .exists: .exists
            case .noSpace, .overQuota: .full
            case .notPermitted, .accessDenied, .readOnlyFileSystem: .notPermitted
            default: .other(errno: number)
            }
        return DiskError(reason, path: path, message: call + ": " + errno.description)
    }
}

// The system's functions under names that the methods of FileDisk do not hide.
private func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 { open(path, flags, mode) }
private func systemRename(_ path: String, _ newPath: String) -> Int32 { rename(path, newPath) }

extension StringProtocol {
    /// Without the characters at the end that equal one.
    fileprivate func dropLast(while character: Character) -> SubSequence {
        var end = endIndex
        while end > startIndex, self[index(before: end)] == character { end = index(before: end) }
        return self[..<end]
    }
}

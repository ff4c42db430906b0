/// What storage asks of a file system: the seam between the file formats and the machine below.
///
/// The real disk lives in `ConclaveSystem`; the tests have one that forgets what was not synced, tears writes and fails on
/// demand. All calls block; they are made by the one thread that owns the storage. Paths are absolute or relative to the
/// process, separated by `/`.
///
/// Promises after a crash:
/// - bytes are certain to survive only after `synchronize(_:)` of their file returned;
/// - a created, renamed or removed name is certain only after `synchronizeDirectory(_:)` of its folder returned;
/// - unsynced bytes may survive in part, in any order of 512-byte sectors.
package protocol Disk {
    /// An open file. Only its disk knows what is in it.
    associatedtype File

    /// Names in a folder, sorted; `.notFound` if it does not exist.
    mutating func list(_ directory: String) throws(DiskError) -> [String]
    /// Makes a folder and those above it; nothing happens if it exists.
    mutating func createDirectory(_ directory: String) throws(DiskError)
    /// Makes sure that the names in a folder survive a crash.
    mutating func synchronizeDirectory(_ directory: String) throws(DiskError)

    /// Opens an existing file for reading.
    mutating func open(_ path: String) throws(DiskError) -> File
    /// Opens an existing file for reading and writing.
    mutating func openForWriting(_ path: String) throws(DiskError) -> File
    /// Makes a new, empty file for writing; `.exists` if there is one.
    mutating func create(_ path: String) throws(DiskError) -> File
    mutating func close(_ file: File)

    /// The length of a file in bytes.
    mutating func size(of file: File) throws(DiskError) -> Int64
    /// Appends up to `count` bytes from `offset` to `buffer`; fewer only at the end of the file.
    /// - Returns: how many bytes were read; 0 at the end.
    mutating func read(_ file: File, at offset: Int64, count: Int, into buffer: inout [UInt8]) throws(DiskError) -> Int
    /// Writes all bytes at an offset, growing the file if it must.
    mutating func write(_ file: File, _ bytes: Span<UInt8>, at offset: Int64) throws(DiskError)
    /// Reserves space so that the file reads as zeros up to `size` and later writes below it cannot run out of room.
    mutating func preallocate(_ file: File, size: Int64) throws(DiskError)
    /// Cuts a file.
    mutating func truncate(_ file: File, to size: Int64) throws(DiskError)
    /// Makes sure that everything written to a file survives a crash. Never called again after it failed.
    mutating func synchronize(_ file: File) throws(DiskError)

    /// Gives a file another name, replacing what bore it.
    mutating func rename(_ path: String, to newPath: String) throws(DiskError)
    mutating func remove(_ path: String) throws(DiskError)
    /// Whether a file or folder of that name exists.
    mutating func exists(_ path: String) throws(DiskError) -> Bool
}

/// A disk did not do what it was asked to do.
package struct DiskError: Error, Equatable, Sendable {
    package enum Reason: Equatable, Sendable {
        case notFound
        case exists
        case full
        case notPermitted
        case other(errno: Int32)
    }

    package let reason: Reason
    /// The call and what the system said, for people.
    package let message: String
    package let path: String

    package init(_ reason: Reason, path: String, message: String) {
        self.reason = reason
        self.path = path
        self.message = message
    }
}

extension DiskError: CustomStringConvertible {
    package var description: String { path + ": " + message }
}

/// Proof that every transaction up to a zxid has been synced.
///
/// Acknowledgements are built from it and from nothing else (DESIGN D5). Only `ConclaveStorage` and the simulator make one;
/// a test of the house rules watches over that.
package struct DurableReceipt: Equatable, Sendable {
    package let through: Zxid

    package init(syncedThrough zxid: Zxid) { through = zxid }
}

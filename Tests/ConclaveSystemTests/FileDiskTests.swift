import ConclaveCore
import ConclaveSystem
import Foundation
import Testing

/// A folder of its own, removed in the end.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "conclave-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite struct FileDiskTests {
    let directory: TemporaryDirectory
    var disk = FileDisk()

    init() throws { directory = try TemporaryDirectory() }

    private func path(_ name: String) -> String { directory.path + "/" + name }

    @Test("What is written is read back, and reads end with the file")
    mutating func writesAndReads() throws {
        let file = try disk.create(path("a"))
        defer { disk.close(file) }
        try disk.write(file, ([1, 2, 3] as [UInt8]).span, at: 0)
        try disk.write(file, ([9] as [UInt8]).span, at: 5)
        #expect(try disk.size(of: file) == 6)
        var bytes: [UInt8] = [7]
        #expect(try disk.read(file, at: 0, count: 100, into: &bytes) == 6)
        #expect(bytes == [7, 1, 2, 3, 0, 0, 9])
        #expect(try disk.read(file, at: 6, count: 1, into: &bytes) == 0)
        #expect(try disk.read(file, at: 4, count: 1, into: &bytes) == 1)
        #expect(bytes.count == 8)
        #expect(try disk.read(file, at: 0, count: 0, into: &bytes) == 0)
        try disk.synchronize(file)
        try disk.synchronizeDirectory(directory.path)
        try disk.truncate(file, to: 2)
        #expect(try disk.size(of: file) == 2)
    }

    @Test("Large transfers are whole")
    mutating func large() throws {
        let file = try disk.create(path("a"))
        defer { disk.close(file) }
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try disk.write(file, bytes.span, at: 11)
        var back: [UInt8] = []
        #expect(try disk.read(file, at: 11, count: bytes.count, into: &back) == bytes.count)
        #expect(back == bytes)
    }

    @Test("Making a file that exists fails, opening one that does not too")
    mutating func existence() throws {
        #expect(try !disk.exists(path("a")))
        disk.close(try disk.create(path("a")))
        #expect(try disk.exists(path("a")))
        #expect(reason { try disk.create(path("a")) } == .exists)
        #expect(reason { try disk.open(path("b")) } == .notFound)
        #expect(reason { try disk.openForWriting(path("b")) } == .notFound)
        #expect(reason { try disk.remove(path("b")) } == .notFound)
        #expect(reason { try disk.rename(path("b"), to: path("c")) } == .notFound)
        #expect(reason { try disk.list(path("b")) } == .notFound)
        #expect(try !disk.exists(path("a") + "/below"))
    }

    @Test("Files opened for reading cannot be written")
    mutating func readOnly() throws {
        disk.close(try disk.create(path("a")))
        let file = try disk.open(path("a"))
        defer { disk.close(file) }
        #expect(
            reason { try disk.write(file, ([1] as [UInt8]).span, at: 0) } == .other(errno: Errno.badDescriptor.rawValue)
        )
    }

    @Test("Folders are made with those above, listed in order and told from files")
    mutating func folders() throws {
        try disk.createDirectory(path("x/y/z"))
        try disk.createDirectory(path("x/y/z"))
        try disk.createDirectory(path("x/y/z/"))
        for name in ["b", "a", "c"] { disk.close(try disk.create(path("x/" + name))) }
        #expect(try disk.list(path("x")) == ["a", "b", "c", "y"])
        #expect(try disk.exists(path("x/y/z")))
        #expect(reason { try disk.createDirectory(path("x/a")) } == .exists)
        try disk.remove(path("x/b"))
        #expect(try disk.list(path("x")) == ["a", "c", "y"])
    }

    @Test("Renaming replaces")
    mutating func renames() throws {
        let file = try disk.create(path("new"))
        try disk.write(file, ([5] as [UInt8]).span, at: 0)
        disk.close(file)
        disk.close(try disk.create(path("old")))
        try disk.rename(path("new"), to: path("old"))
        #expect(try disk.list(directory.path) == ["old"])
        let read = try disk.open(path("old"))
        defer { disk.close(read) }
        #expect(try disk.size(of: read) == 1)
    }

    @Test("Reserved space reads as zeros and never shrinks a file", arguments: [false, true])
    mutating func preallocates(initialises: Bool) throws {
        disk = FileDisk(initialisesReservedSpace: initialises)
        let file = try disk.create(path("a"))
        defer { disk.close(file) }
        try disk.write(file, ([1, 2] as [UInt8]).span, at: 0)
        try disk.preallocate(file, size: 100_000)
        #expect(try disk.size(of: file) == 100_000)
        try disk.preallocate(file, size: 10)
        #expect(try disk.size(of: file) == 100_000)
        var bytes: [UInt8] = []
        #expect(try disk.read(file, at: 0, count: 100_000, into: &bytes) == 100_000)
        #expect(bytes[..<2] == [1, 2])
        #expect(bytes[2...].allSatisfy { $0 == 0 })
    }

    #if os(Linux)
    @Test("A full disk says that it is full")
    mutating func full() throws {
        let file = try disk.openForWriting("/dev/full")
        defer { disk.close(file) }
        #expect(reason { try disk.write(file, ([1] as [UInt8]).span, at: 0) } == .full)
    }
    #endif

    @Test("Errors name the path and the call")
    mutating func messages() throws {
        let error = #expect(throws: DiskError.self) { try disk.open("/nowhere/at all") }
        #expect(error?.description == "/nowhere/at all: open: No such file or directory")
    }

    @Test("A directory is locked once, and the second server learns by whom")
    func locks() throws {
        var first: DirectoryLock? = try DirectoryLock(directory.path)
        let failure = #expect(throws: DirectoryLock.Failure.self) { _ = try DirectoryLock(directory.path) }
        #expect(failure == .inUse(directory: directory.path, processID: ProcessInfo.processInfo.processIdentifier))
        withExtendedLifetime(first) {}
        first = nil
        let second = try DirectoryLock(directory.path)
        withExtendedLifetime(second) {}
        #expect(throws: DirectoryLock.Failure.self) { _ = try DirectoryLock(directory.path + "/missing") }
    }

    private func reason<R>(_ body: () throws -> R) -> DiskError.Reason? {
        #expect(throws: DiskError.self) { _ = try body() }?.reason
    }
}

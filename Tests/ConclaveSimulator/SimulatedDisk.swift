import ConclaveCore

/// A disk in memory that behaves as badly as a real one may.
///
/// Every file has two images: what is certain to survive, and what a reader sees now. They differ in sectors of 512
/// bytes and in the size. Names are certain only after their folder was synced; until then they are a list of changes,
/// each of which may or may not have happened after a crash. Operations that change something are counted, and the n-th
/// can be made to crash the machine or to fail.
///
/// A plain value: a copy is an independent disk.
package struct SimulatedDisk: Disk, Sendable {
    package static let sectorBytes = 512

    /// An open file.
    package struct File: Hashable, Sendable {
        let inode: Int
    }

    /// What a file is made of; `content` holds no trailing part that was only reserved.
    struct Image: Equatable, Sendable {
        var content: [UInt8] = []
        /// Bytes beyond `content` read as zeros.
        var size = 0
    }

    struct Inode: Sendable {
        /// What a reader sees.
        var current = Image()
        /// What survives.
        var durable = Image()
        /// Sectors that differ from what was last synced. After a failed sync they are forgotten here without being
        /// durable, as real systems mark pages clean that were never written.
        var dirty: Set<Int> = []
        var isSizeDirty = false
    }

    /// A change of names that no sync of the folder has made certain yet.
    enum NameChange: Sendable {
        case link(String, inode: Int)
        case folder(String)
        case rename(String, to: String)
        case unlink(String)
    }

    /// What an operation is about.
    private enum Place {
        case path(String)
        case file(File)
    }

    var inodes: [Inode] = []
    var names: [String: Int] = [:]
    var folders: Set<String> = ["/", "."]
    var durableNames: [String: Int] = [:]
    var durableFolders: Set<String> = ["/", "."]
    var pendingNames: [NameChange] = []

    /// How many operations have changed something, failed ones included.
    package private(set) var operationCount = 0
    /// How many reads there were.
    package private(set) var readCount = 0
    /// How many calls failed because they were told to, for lack of room, or in a crash.
    package private(set) var failureCount = 0
    /// What was done, newest last; only while `recordsOperations`.
    package private(set) var operations: [String] = []
    package var recordsOperations = false
    /// The operation with this number, counted from 0, crashes the machine while it is carried out.
    package var crashAtOperation: Int?
    /// Operations with these numbers fail.
    package var failures: [Int: DiskError.Reason] = [:]
    /// Reads with these numbers fail.
    package var readFailures: [Int: DiskError.Reason] = [:]
    /// The most bytes that all files may take; reserved space counts.
    package var capacity: Int?
    package private(set) var hasCrashed = false
    /// Keeps, for each operation, the disk as a crash in the middle of it leaves it: one run gives all crashes.
    package var capturesCrashes = false
    package private(set) var captures: [SimulatedDisk] = []

    package init() {}

    // MARK: Disk

    package mutating func list(_ directory: String) throws(DiskError) -> [String] {
        try beginRead(.path(directory))
        let folder = Self.normal(directory)
        guard folders.contains(folder) else { throw DiskError(.notFound, path: directory, message: "no such folder") }
        var inside = names.keys.compactMap { Self.part(of: $0, in: folder) }
        inside += folders.compactMap { $0 == "/" || $0 == "." ? nil : Self.part(of: $0, in: folder) }
        return inside.sorted()
    }

    package mutating func createDirectory(_ directory: String) throws(DiskError) {
        var path = Self.normal(directory)
        var missing: [String] = []
        while !folders.contains(path) {
            missing.append(path)
            path = Self.parent(of: path)
        }
        try change("make folder", .path(directory)) { disk in
            for path in missing.reversed() {
                disk.folders.insert(path)
                disk.pendingNames.append(.folder(path))
            }
        }
    }

    package mutating func synchronizeDirectory(_ directory: String) throws(DiskError) {
        let folder = Self.normal(directory)
        guard folders.contains(folder) else { throw DiskError(.notFound, path: directory, message: "no such folder") }
        try change("sync folder", .path(directory), crashing: { _ in }) { disk in
            var left: [NameChange] = []
            for change in disk.pendingNames {
                if disk.concerns(change, folder) { disk.makeDurable(change) } else { left.append(change) }
            }
            disk.pendingNames = left
        }
    }

    package mutating func open(_ path: String) throws(DiskError) -> File {
        try beginRead(.path(path))
        guard let inode = names[Self.normal(path)] else {
            throw DiskError(.notFound, path: path, message: "no such file")
        }
        return File(inode: inode)
    }

    package mutating func openForWriting(_ path: String) throws(DiskError) -> File { try open(path) }

    package mutating func create(_ path: String) throws(DiskError) -> File {
        let name = Self.normal(path)
        guard names[name] == nil else { throw DiskError(.exists, path: path, message: "the file exists") }
        guard folders.contains(Self.parent(of: name)) else {
            throw DiskError(.notFound, path: path, message: "no such folder")
        }
        let inode = inodes.count
        try change("create", .path(path)) { disk in
            disk.inodes.append(Inode())
            disk.names[name] = inode
            disk.pendingNames.append(.link(name, inode: inode))
        }
        return File(inode: inode)
    }

    package mutating func close(_ file: File) {}

    package mutating func size(of file: File) throws(DiskError) -> Int64 {
        try beginRead(.file(file))
        return Int64(inodes[file.inode].current.size)
    }

    package mutating func read(
        _ file: File, at offset: Int64, count: Int, into buffer: inout [UInt8]
    ) throws(DiskError) -> Int {
        try beginRead(.file(file))
        let image = inodes[file.inode].current
        let start = min(Int(offset), image.size)
        let end = min(start + count, image.size)
        let stored = min(max(start, image.content.count), end)
        if start < image.content.count {
            buffer.append(contentsOf: image.content[start..<min(end, image.content.count)])
        }
        buffer.append(contentsOf: [UInt8](repeating: 0, count: end - stored))
        return end - start
    }

    package mutating func write(_ file: File, _ bytes: Span<UInt8>, at offset: Int64) throws(DiskError) {
        // Safe: the pointer does not leave the closure.
        let copy = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
        try checkRoom(file, Int(offset) + copy.count)
        try change("write \(copy.count) bytes at \(offset)", .file(file)) { disk in
            disk.inodes[file.inode].write(copy, at: Int(offset))
        }
    }

    package mutating func preallocate(_ file: File, size: Int64) throws(DiskError) {
        try checkRoom(file, Int(size))
        try change("preallocate \(size)", .file(file)) { disk in
            guard disk.inodes[file.inode].current.size < Int(size) else { return }
            disk.inodes[file.inode].current.size = Int(size)
            disk.inodes[file.inode].isSizeDirty = true
        }
    }

    package mutating func truncate(_ file: File, to size: Int64) throws(DiskError) {
        try change("truncate to \(size)", .file(file)) { disk in disk.inodes[file.inode].resize(to: Int(size)) }
    }

    package mutating func synchronize(_ file: File) throws(DiskError) {
        // Whoever fails to sync once has lost what was not synced, although it can still be read.
        try change(
            "sync", .file(file), crashing: { _ in }, failing: { $0.inodes[file.inode].forgetDirty() }
        ) { disk in disk.inodes[file.inode].makeDurable() }
    }

    package mutating func rename(_ path: String, to newPath: String) throws(DiskError) {
        let (old, new) = (Self.normal(path), Self.normal(newPath))
        guard let inode = names[old] else { throw DiskError(.notFound, path: path, message: "no such file") }
        try change("rename to \(newPath)", .path(path)) { disk in
            disk.names[old] = nil
            disk.names[new] = inode
            disk.pendingNames.append(.rename(old, to: new))
        }
    }

    package mutating func remove(_ path: String) throws(DiskError) {
        let name = Self.normal(path)
        guard names[name] != nil else { throw DiskError(.notFound, path: path, message: "no such file") }
        try change("remove", .path(path)) { disk in
            disk.names[name] = nil
            disk.pendingNames.append(.unlink(name))
        }
    }

    package mutating func exists(_ path: String) throws(DiskError) -> Bool {
        try beginRead(.path(path))
        let name = Self.normal(path)
        return names[name] != nil || folders.contains(name)
    }

    // MARK: Faults

    /// Forgets all faults and counters.
    mutating func reset() {
        hasCrashed = false
        operationCount = 0
        readCount = 0
        failureCount = 0
        operations = []
        crashAtOperation = nil
        failures = [:]
        readFailures = [:]
        capturesCrashes = false
        captures = []
    }

    /// Counts an operation that changes something, and lets it happen, crash or fail.
    ///
    /// - Parameter crashing: what a crash in the middle leaves pending; as a rule the whole change.
    private mutating func change(
        _ name: @autoclosure () -> String, _ place: Place, crashing: ((inout SimulatedDisk) -> Void)? = nil,
        failing: ((inout SimulatedDisk) -> Void)? = nil, _ body: (inout SimulatedDisk) -> Void
    ) throws(DiskError) {
        try checkAlive(place)
        defer { operationCount += 1 }
        if recordsOperations { operations.append("\(name()) \(path(of: place))") }
        if !failures.isEmpty, let reason = failures[operationCount] {
            failing?(&self)
            failureCount += 1
            throw DiskError(reason, path: path(of: place), message: "\(name()): a failure was asked for")
        }
        if operationCount == crashAtOperation {
            if let crashing { crashing(&self) } else { body(&self) }
            hasCrashed = true
            failureCount += 1
            try checkAlive(place)
        }
        if capturesCrashes {
            var image = self
            image.captures = []
            if let crashing { crashing(&image) } else { body(&image) }
            image.hasCrashed = true
            captures.append(image)
        }
        body(&self)
    }

    private mutating func beginRead(_ place: Place) throws(DiskError) {
        try checkAlive(place)
        defer { readCount += 1 }
        if !readFailures.isEmpty, let reason = readFailures[readCount] {
            failureCount += 1
            throw DiskError(reason, path: path(of: place), message: "a failure was asked for")
        }
    }

    private func checkAlive(_ place: Place) throws(DiskError) {
        guard hasCrashed else { return }
        throw DiskError(.other(errno: 5), path: path(of: place), message: "the machine has crashed")
    }

    private mutating func checkRoom(_ file: File, _ size: Int) throws(DiskError) {
        guard let capacity else { return }
        let used = names.values.reduce(0) { $0 + ($1 == file.inode ? 0 : inodes[$1].current.size) }
        guard used + max(size, inodes[file.inode].current.size) <= capacity else {
            failureCount += 1
            throw DiskError(.full, path: path(of: .file(file)), message: "the disk is full")
        }
    }

    /// Text for people; only made when somebody is going to read it.
    private func path(of place: Place) -> String {
        switch place {
        case .path(let path): path
        case .file(let file): names.filter { $0.value == file.inode }.keys.min() ?? "a removed file"
        }
    }
}

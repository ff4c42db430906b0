import ConclaveCore

/// A disk whose failures are storage errors, with the few compound operations that the formats need.
struct Volume<D: Disk> {
    var disk: D

    mutating func list(_ directory: String) throws(StorageError) -> [String] {
        do { return try disk.list(directory) } catch { throw StorageError(error) }
    }

    mutating func exists(_ path: String) throws(StorageError) -> Bool {
        do { return try disk.exists(path) } catch { throw StorageError(error) }
    }

    mutating func synchronizeDirectory(_ directory: String) throws(StorageError) {
        do { try disk.synchronizeDirectory(directory) } catch { throw StorageError(error) }
    }

    mutating func open(_ path: String) throws(StorageError) -> D.File {
        do { return try disk.open(path) } catch { throw StorageError(error) }
    }

    mutating func openForWriting(_ path: String) throws(StorageError) -> D.File {
        do { return try disk.openForWriting(path) } catch { throw StorageError(error) }
    }

    mutating func create(_ path: String) throws(StorageError) -> D.File {
        do { return try disk.create(path) } catch { throw StorageError(error) }
    }

    mutating func close(_ file: D.File) { disk.close(file) }

    mutating func size(of file: D.File) throws(StorageError) -> Int64 {
        do { return try disk.size(of: file) } catch { throw StorageError(error) }
    }

    mutating func read(
        _ file: D.File, at offset: Int64, count: Int, into buffer: inout [UInt8]
    ) throws(StorageError) -> Int {
        do { return try disk.read(file, at: offset, count: count, into: &buffer) } catch { throw StorageError(error) }
    }

    mutating func write(_ file: D.File, _ bytes: Span<UInt8>, at offset: Int64) throws(StorageError) {
        do { try disk.write(file, bytes, at: offset) } catch { throw StorageError(error) }
    }

    mutating func preallocate(_ file: D.File, size: Int64) throws(StorageError) {
        do { try disk.preallocate(file, size: size) } catch { throw StorageError(error) }
    }

    mutating func truncate(_ file: D.File, to size: Int64) throws(StorageError) {
        do { try disk.truncate(file, to: size) } catch { throw StorageError(error) }
    }

    mutating func synchronize(_ file: D.File) throws(StorageError) {
        do { try disk.synchronize(file) } catch { throw StorageError(error) }
    }

    mutating func rename(_ path: String, to newPath: String) throws(StorageError) {
        do { try disk.rename(path, to: newPath) } catch { throw StorageError(error) }
    }

    mutating func remove(_ path: String) throws(StorageError) {
        do { try disk.remove(path) } catch { throw StorageError(error) }
    }

    // MARK: Compound operations

    /// Makes a folder with those above it, such that all of them survive a crash.
    ///
    /// From the top down, each synced into its parent before the next is made: what a crash leaves unsynced is then at most
    /// the lowest folder that exists, and it is synced again here.
    mutating func createDurableDirectory(_ directory: String) throws(StorageError) {
        var missing: [String] = []
        var current = directory
        while current != "/", current != ".", try !exists(current) {
            missing.append(current)
            current = PathText.parent(of: current)
        }
        if missing.isEmpty {
            return try synchronizeDirectory(PathText.parent(of: directory))
        }
        if current != "/", current != "." {
            do { try disk.synchronizeDirectory(PathText.parent(of: current)) } catch {
                // A folder above the data directory may be closed to the server; then it is not one that the server made.
                guard error.reason == .notPermitted else { throw StorageError(error) }
            }
        }
        for folder in missing.reversed() {
            do { try disk.createDirectory(folder) } catch { throw StorageError(error) }
            try synchronizeDirectory(PathText.parent(of: folder))
        }
    }

    /// Makes sure that a file that exists survives a crash; its name is the caller's affair.
    mutating func synchronize(path: String) throws(StorageError) {
        let file = try openForWriting(path)
        defer { close(file) }
        try synchronize(file)
    }

    /// Reads a small file; `nil` if there is none. Longer ones are an error.
    mutating func readSmallFile(_ path: String, limit: Int = 4096) throws(StorageError) -> [UInt8]? {
        guard try exists(path) else { return nil }
        let file = try open(path)
        defer { close(file) }
        var bytes: [UInt8] = []
        while try read(file, at: Int64(bytes.count), count: limit + 1 - bytes.count, into: &bytes) > 0 {
            guard bytes.count <= limit else {
                throw StorageError(.corrupt, file: path, "the file has more than \(limit) bytes")
            }
        }
        return bytes
    }

    /// Replaces a small file: write beside it, sync, rename, sync the folder. After a crash the file is the old or the new.
    mutating func publish(_ bytes: [UInt8], as name: String, in directory: String) throws(StorageError) {
        let path = PathText.join(directory, name)
        let temporary = path + FileName.temporarySuffix
        if try exists(temporary) { try remove(temporary) }
        let file = try create(temporary)
        do throws(StorageError) {
            try write(file, bytes.span, at: 0)
            try synchronize(file)
        } catch {
            close(file)
            throw error
        }
        close(file)
        try rename(temporary, to: path)
        try synchronizeDirectory(directory)
    }
}

/// Paths as text.
enum PathText {
    static func join(_ directory: String, _ name: String) -> String {
        directory.hasSuffix("/") ? directory + name : directory + "/" + name
    }

    /// The folder above; `/` for what lies in the root, `.` for a bare name.
    static func parent(of path: String) -> String {
        var text = path[...]
        while text.count > 1, text.last == "/" { text.removeLast() }
        guard let slash = text.lastIndex(of: "/") else { return "." }
        let parent = text[..<slash]
        return parent.isEmpty ? "/" : String(parent)
    }
}

import ConclaveCore

/// A disk in memory that never fails: what storage itself costs, without the machine below.
struct MemoryDisk: Disk {
    final class File {
        var bytes: [UInt8] = []
    }

    private var files: [String: File] = [:]
    private var folders: Set<String> = []

    func list(_ directory: String) throws(DiskError) -> [String] {
        guard folders.contains(directory) else { throw missing(directory) }
        let prefix = directory + "/"
        return files.keys.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains("/") }
            .map { String($0.dropFirst(prefix.count)) }.sorted()
    }

    mutating func createDirectory(_ directory: String) { folders.insert(directory) }
    func synchronizeDirectory(_ directory: String) {}

    func open(_ path: String) throws(DiskError) -> File {
        guard let file = files[path] else { throw missing(path) }
        return file
    }

    func openForWriting(_ path: String) throws(DiskError) -> File { try open(path) }

    mutating func create(_ path: String) throws(DiskError) -> File {
        guard files[path] == nil else { throw DiskError(.exists, path: path, message: "exists") }
        let file = File()
        files[path] = file
        return file
    }

    func close(_ file: File) {}
    func size(of file: File) -> Int64 { Int64(file.bytes.count) }

    func read(_ file: File, at offset: Int64, count: Int, into buffer: inout [UInt8]) -> Int {
        let start = min(Int(offset), file.bytes.count)
        let end = min(start + count, file.bytes.count)
        buffer.append(contentsOf: file.bytes[start..<end])
        return end - start
    }

    func write(_ file: File, _ bytes: Span<UInt8>, at offset: Int64) {
        let end = Int(offset) + bytes.count
        if file.bytes.count < end { file.bytes.append(contentsOf: repeatElement(0, count: end - file.bytes.count)) }
        file.bytes.withUnsafeMutableBytes { place in
            bytes.withUnsafeBytes { place[Int(offset)..<end].copyBytes(from: $0) }
        }
    }

    func preallocate(_ file: File, size: Int64) {
        guard file.bytes.count < size else { return }
        file.bytes.append(contentsOf: repeatElement(0, count: Int(size) - file.bytes.count))
    }

    func truncate(_ file: File, to size: Int64) {
        if file.bytes.count > size { file.bytes.removeLast(file.bytes.count - Int(size)) }
    }

    func synchronize(_ file: File) {}

    mutating func rename(_ path: String, to newPath: String) throws(DiskError) {
        guard let file = files.removeValue(forKey: path) else { throw missing(path) }
        files[newPath] = file
    }

    mutating func remove(_ path: String) throws(DiskError) {
        guard files.removeValue(forKey: path) != nil else { throw missing(path) }
    }

    func exists(_ path: String) -> Bool { files[path] != nil || folders.contains(path) }

    private func missing(_ path: String) -> DiskError { DiskError(.notFound, path: path, message: "no such file") }
}

import ConclaveCore
import ConclaveSimulator

/// A disk whose user forgets what a careful user does: the place for planted bugs of the storage kind.
package struct PlantedDisk: Disk, Sendable {
    package var disk: SimulatedDisk
    let planted: PlantedBug?

    init(_ disk: consuming SimulatedDisk, planted: PlantedBug?) {
        self.disk = disk
        self.planted = planted
    }

    package mutating func list(_ directory: String) throws(DiskError) -> [String] { try disk.list(directory) }

    package mutating func createDirectory(_ directory: String) throws(DiskError) { try disk.createDirectory(directory) }

    package mutating func synchronizeDirectory(_ directory: String) throws(DiskError) {
        if planted == .skipsFolderSync { return }
        try disk.synchronizeDirectory(directory)
    }

    package mutating func open(_ path: String) throws(DiskError) -> SimulatedDisk.File { try disk.open(path) }

    package mutating func openForWriting(_ path: String) throws(DiskError) -> SimulatedDisk.File {
        try disk.openForWriting(path)
    }

    package mutating func create(_ path: String) throws(DiskError) -> SimulatedDisk.File { try disk.create(path) }

    package mutating func close(_ file: SimulatedDisk.File) { disk.close(file) }

    package mutating func size(of file: SimulatedDisk.File) throws(DiskError) -> Int64 { try disk.size(of: file) }

    package mutating func read(
        _ file: SimulatedDisk.File, at offset: Int64, count: Int, into buffer: inout [UInt8]
    ) throws(DiskError) -> Int {
        try disk.read(file, at: offset, count: count, into: &buffer)
    }

    package mutating func write(
        _ file: SimulatedDisk.File, _ bytes: Span<UInt8>, at offset: Int64
    ) throws(DiskError) {
        try disk.write(file, bytes, at: offset)
    }

    package mutating func preallocate(_ file: SimulatedDisk.File, size: Int64) throws(DiskError) {
        try disk.preallocate(file, size: size)
    }

    package mutating func truncate(_ file: SimulatedDisk.File, to size: Int64) throws(DiskError) {
        try disk.truncate(file, to: size)
    }

    package mutating func synchronize(_ file: SimulatedDisk.File) throws(DiskError) {
        switch planted {
        case .skipsSync: return
        case .takesFailedSyncForDone:
            do throws(DiskError) {
                try disk.synchronize(file)
            } catch {
                // As if a second try had succeeded.
            }
        default: try disk.synchronize(file)
        }
    }

    package mutating func rename(_ path: String, to newPath: String) throws(DiskError) {
        try disk.rename(path, to: newPath)
    }

    package mutating func remove(_ path: String) throws(DiskError) { try disk.remove(path) }

    package mutating func exists(_ path: String) throws(DiskError) -> Bool { try disk.exists(path) }
}

import ConclaveCore
import ConclaveSimulator
import TestLanes
import Testing

/// The simulated disk must be as unkind as it claims, or the tests above prove nothing.
@Suite(.aside) struct SimulatedDiskTests {
    private func write(_ disk: inout SimulatedDisk, _ path: String, _ bytes: [UInt8]) throws -> SimulatedDisk.File {
        let file = try disk.create(path)
        try disk.write(file, bytes.span, at: 0)
        return file
    }

    @Test("Bytes survive after a sync of the file, names after a sync of the folder")
    func durability() throws {
        var disk = SimulatedDisk()
        let file = try write(&disk, "/a", [1, 2, 3])
        #expect(disk.afterCrash(.nothing, seed: 0).contents(of: "/a") == nil)
        #expect(disk.afterCrash(.everything, seed: 0).contents(of: "/a") == [1, 2, 3])
        try disk.synchronizeDirectory("/")
        #expect(disk.afterCrash(.nothing, seed: 0).contents(of: "/a") == [])
        try disk.synchronize(file)
        #expect(disk.afterCrash(.nothing, seed: 0).contents(of: "/a") == [1, 2, 3])
    }

    @Test("Unsynced writes survive sector by sector")
    func tornWrites() throws {
        var disk = SimulatedDisk()
        let file = try write(&disk, "/a", [UInt8](repeating: 1, count: 2048))
        try disk.synchronize(file)
        try disk.synchronizeDirectory("/")
        try disk.write(file, [UInt8](repeating: 2, count: 2048).span, at: 0)
        var patterns: Set<[UInt8]> = []
        for seed in UInt64(0)..<100 {
            let bytes = try #require(disk.afterCrash(.some, seed: seed).contents(of: "/a"))
            let pattern = (0..<4).map { bytes[$0 * 512] }
            for (sector, value) in pattern.enumerated() {
                #expect(bytes[(sector * 512)..<(sector * 512 + 512)].allSatisfy { $0 == value })
            }
            patterns.insert(pattern)
        }
        #expect(patterns.count == 16)
    }

    @Test("Sizes survive or not, apart from the bytes")
    func sizes() throws {
        var disk = SimulatedDisk()
        let file = try write(&disk, "/a", [1])
        try disk.synchronize(file)
        try disk.synchronizeDirectory("/")
        try disk.preallocate(file, size: 5000)
        try disk.write(file, [9].span, at: 4000)
        #expect(disk.contents(of: "/a")?.count == 5000)
        var seen: Set<String> = []
        for seed in UInt64(0)..<50 {
            let bytes = try #require(disk.afterCrash(.some, seed: seed).contents(of: "/a"))
            seen.insert("\(bytes.count) \(bytes.count > 4000 ? bytes[4000] : 0)")
        }
        #expect(seen == ["1 0", "5000 0", "5000 9"])
    }

    @Test("Renames and removals survive each for itself, and a rename is never seen by half")
    func names() throws {
        var disk = SimulatedDisk()
        for name in ["/a", "/b", "/c"] { try disk.synchronize(try write(&disk, name, Array(name.utf8))) }
        try disk.synchronizeDirectory("/")
        try disk.rename("/a", to: "/d")
        try disk.remove("/b")
        try disk.rename("/c", to: "/b")
        var seen: Set<[String]> = []
        for seed in UInt64(0)..<100 { seen.insert(disk.afterCrash(.some, seed: seed).paths) }
        #expect(
            seen == [
                ["/a", "/b", "/c"], ["/b", "/c", "/d"], ["/a", "/c"], ["/c", "/d"], ["/a", "/b"], ["/b", "/d"],
            ])
        #expect(disk.afterCrash(.everything, seed: 0).contents(of: "/b") == Array("/c".utf8))
    }

    @Test("After a failed sync the bytes can be read and are lost nevertheless")
    func failedSync() throws {
        var disk = SimulatedDisk()
        let file = try write(&disk, "/a", [1])
        try disk.synchronize(file)
        try disk.synchronizeDirectory("/")
        try disk.write(file, [2].span, at: 0)
        disk.failures = [disk.operationCount: .other(errno: 5)]
        #expect(throws: DiskError.self) { try disk.synchronize(file) }
        disk.failures = [:]
        try disk.synchronize(file)
        #expect(disk.contents(of: "/a") == [2])
        #expect(disk.afterCrash(.nothing, seed: 0).contents(of: "/a") == [1])
    }

    @Test("A crash stops everything, and the operation it hit may have happened or not")
    func crash() throws {
        var disk = SimulatedDisk()
        disk.capturesCrashes = true
        let file = try write(&disk, "/a", [1])
        disk.crashAtOperation = disk.operationCount
        #expect(throws: DiskError.self) { try disk.write(file, [2].span, at: 0) }
        #expect(throws: DiskError.self) { try disk.synchronize(file) }
        #expect(throws: DiskError.self) { _ = try disk.list("/") }
        #expect(disk.captures.count == 2)
        let after = disk.afterCrash(.everything, seed: 0)
        #expect(after.contents(of: "/a") == [2])
        #expect(!after.hasCrashed && after.operationCount == 0)
    }

    @Test("A full disk refuses growth and nothing else")
    func full() throws {
        var disk = SimulatedDisk()
        disk.capacity = 1000
        let file = try write(&disk, "/a", [UInt8](repeating: 1, count: 600))
        let error = #expect(throws: DiskError.self) { _ = try write(&disk, "/b", [UInt8](repeating: 1, count: 500)) }
        #expect(error?.reason == .full)
        try disk.write(file, [2].span, at: 5)
    }
}

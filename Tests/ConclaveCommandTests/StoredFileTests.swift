import ConclaveCommandKit
import Foundation
import TestLanes
import Testing

/// `conclave log` and `conclave snapshot` over files that Apache's server wrote.
@Suite("Stored files", .live)
struct StoredFileTests {
    private let vectors = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Vectors")
    private let tool = ToolFixture()

    private func vector(_ name: String) -> String { vectors.appending(path: name).path() }

    /// A copy with something changed, in a folder of its own.
    private func damaged(_ name: String, _ change: (inout Data) -> Void) throws -> String {
        let folder = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var data = try Data(contentsOf: vectors.appending(path: name))
        change(&data)
        let file = folder.appending(path: name)
        try data.write(to: file)
        return file.path()
    }

    private func remove(_ file: String) {
        try? FileManager.default.removeItem(at: URL(filePath: file).deletingLastPathComponent())
    }

    @Test("A log is listed line by line and found sound")
    func log() async {
        let result = await tool.run("log", vector("log.1"))
        let lines = result.output.split(separator: "\n")
        #expect(result.status == 0 && lines.last == "sound")
        #expect(lines.dropLast().last == "21 transactions, 0x1 to 0x15, 2244 of 7184 bytes used")
        #expect(lines[1].hasSuffix("#1     create /a, 5 bytes") && lines[1].hasPrefix("0x2 "))
        #expect(lines.contains("    set /a/m to version 1, 1 bytes"))
        #expect(await tool.run("log", "--quiet", vector("log.1")).output.split(separator: "\n").count == 2)
        #expect(await tool.run("log", "--verbose", vector("log.1")).output.contains("\n    data \"alpha\"\n"))
    }

    @Test("A log in JSON has an object a line")
    func logJSON() async throws {
        let result = await tool.run("log", "--json", "--verbose", vector("log.1"))
        let lines = result.output.split(separator: "\n")
        #expect(lines.count == 22)
        for line in lines { #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) } }
        #expect(lines[21].hasPrefix("{\"state\":\"sound\""))
    }

    @Test("A log that ends in a write that a crash interrupted is sound up to there")
    func torn() async throws {
        let file = try damaged("log.1") { $0 = $0.prefix(1500) }
        defer { remove(file) }
        let result = await tool.run("log", "--quiet", file)
        #expect(result.status == 0 && result.output.contains("sound up to byte 1459; then an interrupted write"))
    }

    @Test("A log with a flipped bit is damaged, and the place is told")
    func damagedLog() async throws {
        let file = try damaged("log.1") { $0[700] ^= 1 }
        defer { remove(file) }
        let result = await tool.run("log", "--quiet", file)
        #expect(result.status == 1 && result.output.contains("damaged: \(file) at byte 613: "))
        let json = await tool.run("log", "--json", "--quiet", file)
        #expect(
            json.status == 1 && json.output.hasPrefix("{\"state\":\"damaged\"")
                && json.output.contains("\"offset\":613"))
        #expect(await tool.run("log", file + "-none").status == 1)
    }

    @Test(
        "A snapshot is counted and found sound, packed or not",
        arguments: ["snapshot.15", "snapshot.15.gz", "snapshot.15.snappy"])
    func snapshot(name: String) async {
        let result = await tool.run("snapshot", vector(name))
        #expect(result.status == 0 && result.output.hasSuffix("sound\n"))
        #expect(result.output.contains("nodes                 14\n"))
        #expect(result.output.contains("digest                15121726063 after 0x15\n"))
        let json = await tool.run("snapshot", "--json", vector(name)).output
        #expect(
            json.hasPrefix("{\"state\":\"sound\",\"zxid\":\"0x15\",\"nodes\":14,\"dataBytes\":76,\"ephemerals\":1,"))
        let verbose = await tool.run("snapshot", "-v", vector(name)).output
        #expect(verbose.contains("\n/a\n    czxid 0x2  mzxid 0x9  pzxid 0xc  version 1"))
    }

    @Test("A snapshot with a flipped bit is damaged, and the place is told")
    func damagedSnapshot() async throws {
        let file = try damaged("snapshot.15") { $0[700] ^= 1 }
        defer { remove(file) }
        let result = await tool.run("snapshot", file)
        #expect(result.status == 1 && result.errors.hasPrefix("conclave snapshot: damaged: \(file) at byte "))
        #expect(await tool.run("snapshot", "--json", file).output.hasPrefix("{\"state\":\"damaged\""))
        #expect(await tool.run("snapshot", vector("log.1")).errors.contains("a snapshot is called snapshot.<zxid>"))
    }
}

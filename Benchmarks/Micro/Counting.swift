import BenchmarkKit
import Foundation

/// Starts this program again to count: under valgrind if it is there, and with fixed hashes, so that counts repeat.
enum Counting {
    static var platform: String {
        #if arch(x86_64)
        let processor = "x86_64"
        #elseif arch(arm64)
        let processor = "arm64"
        #else
        let processor = "unknown"
        #endif
        #if os(Linux)
        return "\(processor)-Linux"
        #else
        return "\(processor)-other"
        #endif
    }

    static func run(_ cases: [MicroCase]) throws -> [MicroCounts] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "micro-benchmarks-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // A folder of dumps that cannot be removed harms nobody.
        defer { try? FileManager.default.removeItem(at: folder) }
        let dump = folder.appending(path: "out").path()
        var command = [CommandLine.arguments[0], "count"] + cases.map(\.name)
        if let valgrind = CallgrindOutput.valgrind {
            // Valgrind gives up on what the compiler writes for debuggers; the names of functions stay.
            let bare = folder.appending(path: "program").path()
            if (try? output(of: ["strip", "--strip-debug", "-o", bare, command[0]])) != nil { command[0] = bare }
            command =
                [
                    valgrind, "--tool=callgrind", "--quiet", "--callgrind-out-file=\(dump)",
                    "--zero-before=benchmark_count_begin", "--dump-before=benchmark_count_end",
                ] + command
        }
        let lines = try output(of: command).split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        return try cases.enumerated().map { index, one in
            guard index < lines.count, lines[index].count == 3, lines[index][0] == one.name else {
                throw MicroError("\(one.name) was not counted")
            }
            var instructions: Double?
            if CallgrindOutput.valgrind != nil {
                // Each mark wrote one dump, numbered from 1.
                let text = (try? String(contentsOfFile: "\(dump).\(index + 1)", encoding: .utf8)) ?? ""
                guard let sum = CallgrindOutput.instructions(in: text) else {
                    throw MicroError("callgrind counted nothing for \(one.name)")
                }
                instructions = sum / Double(one.operations)
            }
            return MicroCounts(name: one.name, instructions: instructions, allocations: Double(lines[index][2]))
        }
    }

    private static func output(of command: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["SWIFT_DETERMINISTIC_HASHING=1"] + command
        let pipe = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        try process.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw MicroError("\(command.prefix(2).joined(separator: " ")) … ended with \(process.terminationStatus)")
        }
        return text
    }
}

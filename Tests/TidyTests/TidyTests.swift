import Foundation
import TestLanes
import Testing

/// The rules of the house, checked over the project's own sources.
@Suite(.aside) struct TidyTests {
    let tree: SourceTree

    init() throws { tree = try SourceTree() }

    @Test("The sources were found")
    func sourcesWereFound() {
        #expect(tree.files.count > 50)
        for module in SourceTree.pureModules where module != "ConclaveConsensus" {
            #expect(!tree.module(module).isEmpty, "no files in \(module)")
        }
    }

    @Test("The pure ring imports nothing but itself")
    func pureRingImports() throws {
        let allowed = Set(SourceTree.pureModules)
        let importLine = try Regex(#"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:\w+\s+)?import\s+(?:\w+\s+)?(\w+)"#)
        for file in SourceTree.pureModules.flatMap(tree.module) {
            for line in file.lines {
                guard let match = line.firstMatch(of: importLine), let name = match.output[1].substring else {
                    continue
                }
                #expect(allowed.contains(String(name)), "\(file.path): \(line)")
            }
        }
    }

    @Test("The pure ring reads no clock, starts no task and draws no random numbers of its own")
    func pureRingCalls() throws {
        let banned = try Regex(
            #"ContinuousClock|SuspendingClock|SystemRandomNumberGenerator|\bTask\s*[{(]|Task\.|\.random\(in: [^,]*\)$|"#
                + #"DispatchQueue|\bMutex\b|\bprint\("#)
        for file in SourceTree.pureModules.flatMap(tree.module) {
            let found = file.lines(matching: banned)
            #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
        }
    }

    @Test("Only storage and the simulator make receipts")
    func receipts() throws {
        let making = try Regex(#"DurableReceipt\("#)
        for file in tree.files
        where !file.path.hasPrefix("Sources/ConclaveStorage/") && !file.path.hasPrefix("Tests/") {
            let found = file.lines(matching: making)
            #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
        }
    }

    @Test("No test sleeps")
    func noSleeping() throws {
        let sleeping = try Regex(#"Task\.sleep|usleep\(|Thread\.sleep|\bsleep\("#)
        // TestLanes ends tests that take too long.
        let exempt = ["Tests/TidyTests/", "Tests/TestLanes/"]
        for file in tree.files
        where file.path.hasPrefix("Tests/") && !exempt.contains(where: { file.path.hasPrefix($0) }) {
            let found = file.lines(matching: sleeping)
            #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
        }
    }

    @Test("No marks of unfinished work are left")
    func noMarks() throws {
        let marks = try Regex(#"\b(TODO|FIXME|XXX)\b"#)
        for file in tree.files where !file.path.hasPrefix("Tests/TidyTests/") {
            for (index, line) in file.lines.enumerated() {
                #expect(line.firstMatch(of: marks) == nil, "\(file.path):\(index + 1): \(line)")
            }
        }
    }

    @Test("Files stay short")
    func fileLength() {
        for file in tree.files {
            #expect(
                file.lines.count <= 500, "\(file.path) has \(file.lines.count) lines; look for the second idea in it")
        }
    }

    @Test("Whatever can trap or silences the compiler proves itself in a comment")
    func proofs() throws {
        let risky = try Regex(#"\btry!|\bas!|fatalError\(|@unchecked Sendable|nonisolated\(unsafe\)|\bunsafe\b"#)
        for file in tree.files where !file.path.hasPrefix("Tests/") {
            for (index, line) in file.lines.enumerated() {
                let code = line.range(of: "//").map { line[..<$0.lowerBound] } ?? line
                guard code.firstMatch(of: risky) != nil else { continue }
                // The proof stands close above, or above the function that the line is part of.
                let nearby = file.lines[max(0, index - 12)...index]
                let isProven = nearby.contains { $0.contains("//") }
                if !isProven { print("\(file.path):\(index + 1): \(line)") }
                #expect(isProven, "\(file.path):\(index + 1): \(line.trimmingCharacters(in: .whitespaces))")
            }
        }
    }
}

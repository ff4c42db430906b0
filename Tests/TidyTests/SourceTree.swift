import Foundation

/// The project's own source files, found from the place of this file.
struct SourceTree {
    struct File {
        /// Relative to the top of the repository, with `/`.
        let path: String
        let lines: [Substring]
    }

    let files: [File]

    /// Reads every Swift file below the given top-level folders.
    init(folders: [String] = ["Sources", "Recipes", "Benchmarks", "Tests"]) throws {
        let top = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        var files: [File] = []
        for folder in folders {
            let root = top.appending(path: folder)
            guard let walker = FileManager.default.enumerator(atPath: root.path()) else { continue }
            for case let name as String in walker where name.hasSuffix(".swift") {
                let text = try String(contentsOf: root.appending(path: name), encoding: .utf8)
                let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
                files.append(File(path: folder + "/" + name, lines: lines))
            }
        }
        self.files = files.sorted { $0.path < $1.path }
    }

    /// The files of one module.
    func module(_ name: String) -> [File] { files.filter { $0.path.hasPrefix("Sources/\(name)/") } }

    static let pureModules = [
        "ConclaveCore", "ConclaveWire", "ConclaveTree", "ConclaveConsensus", "ConclaveStorage", "ConclaveSession",
        "ConclaveNode",
    ]
}

extension SourceTree.File {
    /// Lines that contain one of the words outside of comments, as `path:line: text`.
    func lines(matching pattern: Regex<AnyRegexOutput>) -> [String] {
        lines.enumerated().compactMap { index, line in
            let code = line.prefix(while: { _ in true })
            let text = code.range(of: "//").map { code[..<$0.lowerBound] } ?? code
            guard text.firstMatch(of: pattern) != nil else { return nil }
            return "\(path):\(index + 1): \(line.trimmingCharacters(in: .whitespaces))"
        }
    }
}

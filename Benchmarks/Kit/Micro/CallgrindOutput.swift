import Foundation

/// What valgrind's callgrind wrote: instructions between two marks.
package enum CallgrindOutput {
    /// The sum in one file: its `totals:` or `summary:` line, whose first number counts instructions.
    package static func instructions(in text: String) -> Double? {
        for line in text.split(separator: "\n") {
            for word in ["totals:", "summary:"] where line.hasPrefix(word) {
                return line.dropFirst(word.count).split(separator: " ").first.flatMap { Double($0) }
            }
        }
        return nil
    }

    /// Where valgrind(1) is; `nil` if it is not installed.
    package static var valgrind: String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
        return folders.map { "\($0)/valgrind" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

import ConclaveSystem

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The lines of earlier shells: `~/.conclave_history`, one line each, readable by its owner only.
///
/// A history that cannot be read or written is no reason to disturb anybody: the shell then works without.
struct HistoryFile: Sendable {
    private let path: String

    init?(environment: [String: String]) {
        guard let home = environment["HOME"], !home.isEmpty else { return nil }
        path = home + "/.conclave_history"
    }

    /// The newest lines.
    func load() -> [String] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        let file = FileDescriptor(rawValue: descriptor)
        defer { file.close() }
        // Only the end matters; the file grows by what is typed.
        let size = lseek(descriptor, 0, SEEK_END)
        lseek(descriptor, max(0, size - Self.readLimit), SEEK_SET)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case .bytes(let count) = buffer.withUnsafeMutableBytes({ file.read(into: $0) }), count > 0 {
            bytes.append(contentsOf: buffer[..<count])
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        return Array((size > Self.readLimit ? lines.dropFirst() : lines[...]).suffix(LineHistory.limit))
    }

    func append(_ line: String) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        let file = FileDescriptor(rawValue: descriptor)
        defer { file.close() }
        // A line that cannot be kept is lost; the shell goes on.
        try? file.writeAll(Array((line + "\n").utf8))
    }

    private static let readLimit: off_t = 1 << 20

    /// Whether a line may be written down: credentials may not.
    static func isSafe(_ line: String) -> Bool { !line.contains("addauth") }
}

import ConclaveCore
import ConclaveSystem
import Synchronization

/// The newest valid revision in a file, for starting without a connection.
///
/// ```
/// conclave-configuration 1 <version> <zxid> <milliseconds> <count of bytes> <CRC-32 of the bytes>\n<bytes>
/// ```
///
/// Written beside and renamed, so that a crash leaves the old or the new one. Writing blocks one thread for the time of
/// a sync; revisions that come meanwhile are written as one, the newest.
final class ConfigurationBackup: Sendable {
    struct Content: Equatable, Sendable {
        var version: Int32
        var zxid: Zxid
        var writtenMilliseconds: Int64
        var bytes: [UInt8]
    }

    private struct State {
        var waiting: Content?
        var writer: Task<Void, Never>?
        var problem: String?
    }

    /// The most that is read back.
    private static let sizeLimit: Int64 = 64 << 20
    private static let magic = "conclave-configuration"

    private let file: String
    private let state = Mutex(State())

    init(file: String) { self.file = file }

    var problem: String? { state.withLock { $0.problem } }

    /// What the file holds; `nil` if there is none or it is damaged.
    func load() -> Content? {
        do throws(DiskError) {
            var disk = FileDisk()
            guard try disk.exists(file) else { return nil }
            let open = try disk.open(file)
            defer { disk.close(open) }
            let size = try disk.size(of: open)
            var bytes: [UInt8] = []
            guard size <= Self.sizeLimit else { throw DiskError(.full, path: file, message: "larger than a value") }
            _ = try disk.read(open, at: 0, count: Int(size), into: &bytes)
            if let content = Self.decode(bytes) { return content }
            throw DiskError(.notFound, path: file, message: "not a whole backup")
        } catch {
            state.withLock { $0.problem = "\(error.path): \(error.message)" }
            return nil
        }
    }

    /// Writes it in the background, unless a newer one comes before that begins.
    func save(_ content: Content) {
        state.withLock { state in
            state.waiting = content
            guard state.writer == nil else { return }
            state.writer = Task.detached { [self] in
                while let next = next() { write(next) }
            }
        }
    }

    func waitUntilWritten() async { await state.withLock { $0.writer }?.value }

    private func next() -> Content? {
        state.withLock { state in
            defer { state.waiting = nil }
            if state.waiting == nil { state.writer = nil }
            return state.waiting
        }
    }

    private func write(_ content: Content) {
        let problem: String?
        do throws(DiskError) {
            var disk = FileDisk()
            let new = file + ".new"
            if try disk.exists(new) { try disk.remove(new) }
            let open = try disk.create(new)
            do throws(DiskError) {
                try disk.write(open, Self.encode(content).span, at: 0)
                try disk.synchronize(open)
                disk.close(open)
            } catch {
                disk.close(open)
                throw error
            }
            try disk.rename(new, to: file)
            let slash = file.utf8.lastIndex(of: UInt8(ascii: "/"))
            try disk.synchronizeDirectory(slash.map { $0 == file.startIndex ? "/" : String(file[..<$0]) } ?? ".")
            problem = nil
        } catch {
            problem = "\(error.path): \(error.message)"
        }
        state.withLock { $0.problem = problem }
    }

    // MARK: - Form

    static func encode(_ content: Content) -> [UInt8] {
        let fields = [
            magic, "1", String(content.version), String(content.zxid.rawValue), String(content.writtenMilliseconds),
            String(content.bytes.count), String(CRC32.of(content.bytes)),
        ]
        return Array((fields.joined(separator: " ") + "\n").utf8) + content.bytes
    }

    static func decode(_ file: [UInt8]) -> Content? {
        guard let end = file.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let fields = String(decoding: file[..<end], as: UTF8.self).split(separator: " ")
        let bytes = Array(file[(end + 1)...])
        guard fields.count == 7, fields[0] == magic, fields[1] == "1", let version = Int32(fields[2]),
            let zxid = Int64(fields[3]), let milliseconds = Int64(fields[4]), Int(fields[5]) == bytes.count,
            UInt32(fields[6]) == CRC32.of(bytes)
        else { return nil }
        return Content(
            version: version, zxid: Zxid(rawValue: zxid), writtenMilliseconds: milliseconds, bytes: bytes)
    }
}

extension CRC32 {
    fileprivate static func of(_ bytes: [UInt8]) -> UInt32 {
        var checksum = CRC32()
        checksum.update(bytes.span)
        return checksum.value
    }
}

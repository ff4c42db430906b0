import ConclaveConsensus
import ConclaveCore
import ConclaveSystem

/// The files that say what an ensemble is, and are rewritten when it changes.
///
/// ```
/// zoo.cfg                        the main file; names the next one once the ensemble has been changed
/// zoo.cfg.dynamic.100000000      the list of servers of one version
/// zoo.cfg.dynamic.next           a change that was proposed and is not known to be committed
/// zoo.cfg.bak                    the main file as it was when it still held the list itself
/// ```
///
/// Everything here blocks. Files are replaced as a whole: after a crash each is the old or the new one.
package struct ConfigurationFiles: Equatable, Sendable {
    /// The main file; absolute.
    package let main: String

    /// - Parameter main: a path, relative to the working directory if it does not begin with a slash.
    package init(main: String) { self.main = FileDisk.absolute(main) }

    package var next: String { main + ".dynamic.next" }

    package func dynamic(version: Int64) -> String {
        main + ".dynamic." + String(UInt64(bitPattern: version), radix: 16)
    }

    // MARK: Changes

    /// Keeps a proposed change, so that a restart knows about it.
    ///
    /// - Throws: `.storageFailure`.
    package func write(pending: EnsembleConfiguration) throws(ZooKeeperError) {
        do throws(DiskError) {
            try Self.publish(Self.content(of: pending, withVersion: true), to: next)
        } catch { throw Self.failed(error) }
    }

    /// Makes a committed configuration the one that the server starts with, and forgets the change that led to it.
    ///
    /// - Parameter listsClientPort: whether it says where this server's clients connect; the main file then no longer
    ///   does.
    /// - Throws: `.storageFailure`; what was valid before stays valid.
    package func activate(_ configuration: EnsembleConfiguration, listsClientPort: Bool) throws(ZooKeeperError) {
        do throws(DiskError) {
            var disk = FileDisk()
            // The list first, then the file that names it.
            let list = dynamic(version: configuration.version)
            try Self.publish(Self.content(of: configuration, withVersion: false), to: list)
            let path = try disk.resolvingLinks(main)
            guard let bytes = try Self.read(path) else {
                throw DiskError(.notFound, path: path, message: "the configuration file is gone")
            }
            let file: StaticFile
            do throws(Properties.SyntaxError) {
                file = try StaticFile(bytes)
            } catch {
                throw DiskError(.other(errno: 0), path: path, message: "line \(error.line): \(error.message)")
            }
            if file.holdsList { try Self.publish(bytes, to: main + ".bak", permissionsOf: path) }
            let changed = file.naming(dynamicFile: list, dropsClientPort: listsClientPort)
            if changed != bytes { try Self.publish(changed, to: path, permissionsOf: path) }
            if let pending = try Self.read(next), Self.version(in: pending) <= configuration.version {
                try disk.remove(next)
                try disk.synchronizeDirectory(Self.parent(of: next))
            }
        } catch { throw Self.failed(error) }
    }

    /// The lines as the reference writes them: sorted as text, without a newline behind the last.
    private static func content(of configuration: EnsembleConfiguration, withVersion: Bool) -> [UInt8] {
        let text = withVersion ? configuration.text : configuration.textWithoutVersion
        return Array(text.split(separator: "\n").sorted().joined(separator: "\n").utf8)
    }

    /// The version in a file that bears it inside; below every other if the file is damaged.
    private static func version(in bytes: [UInt8]) -> Int64 {
        let text = String(decoding: bytes, as: UTF8.self)
        return (try? EnsembleConfiguration(text: text))?.version ?? .min
    }

    // MARK: Reading and writing

    /// The longest file that is taken for a configuration.
    package static let sizeLimit = 1 << 20

    /// What is in a small file; `nil` if there is none.
    static func read(_ path: String) throws(DiskError) -> [UInt8]? {
        var disk = FileDisk()
        guard try disk.exists(path) else { return nil }
        let file = try disk.open(path)
        defer { disk.close(file) }
        var bytes: [UInt8] = []
        while try disk.read(file, at: Int64(bytes.count), count: 65_536, into: &bytes) > 0 {
            guard bytes.count <= sizeLimit else {
                throw DiskError(
                    .other(errno: 0), path: path, message: "more than \(sizeLimit) bytes are no configuration")
            }
        }
        return bytes
    }

    /// Writes beside the file, syncs, renames, syncs the folder.
    private static func publish(
        _ bytes: [UInt8], to path: String, permissionsOf original: String? = nil
    ) throws(DiskError) {
        var disk = FileDisk()
        let temporary = path + ".tmp"
        if try disk.exists(temporary) { try disk.remove(temporary) }
        let file = try disk.create(temporary)
        do throws(DiskError) {
            // Before there is anything in it: the file can hold the digest of the super user's password.
            if let original { try disk.copyPermissions(of: original, to: temporary) }
            try disk.write(file, bytes.span, at: 0)
            try disk.synchronize(file)
        } catch {
            disk.close(file)
            throw error
        }
        disk.close(file)
        try disk.rename(temporary, to: path)
        try disk.synchronizeDirectory(parent(of: path))
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func failed(_ error: DiskError) -> ZooKeeperError {
        ZooKeeperError(.storageFailure, path: error.path, message: error.message)
    }
}

import ConclaveCore
import ConclaveSystem

/// The files that servers of a quorum find: configuration and number, each in its server's folder.
enum QuorumFiles {
    /// Writes them all.
    /// - Throws: if a folder belongs to a server with another number, or something cannot be written.
    static func write(_ plan: QuorumPlan) throws(ToolFailure) {
        do throws(DiskError) {
            var disk = FileDisk()
            for member in plan.members {
                try disk.createDirectory(member.directory)
                if try disk.exists(member.numberPath) {
                    try checkNumber(of: member, &disk)
                } else {
                    try write("\(member.id)\n", to: member.numberPath, &disk)
                }
                try write(plan.configuration(of: member), to: member.configurationPath, &disk)
            }
        } catch {
            throw ToolFailure("\(error.path): \(error.message)")
        }
    }

    /// A folder that another server uses must not become this one's.
    private static func checkNumber(of member: QuorumPlan.Member, _ disk: inout FileDisk) throws(DiskError) {
        let file = try disk.open(member.numberPath)
        defer { disk.close(file) }
        var bytes: [UInt8] = []
        _ = try disk.read(file, at: 0, count: 64, into: &bytes)
        let text = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
        guard text == "\(member.id)" else {
            throw DiskError(
                .exists, path: member.numberPath,
                message: "the folder belongs to server \(text), not to server \(member.id); choose another directory")
        }
    }

    private static func write(_ text: String, to path: String, _ disk: inout FileDisk) throws(DiskError) {
        let file = try disk.exists(path) ? try disk.openForWriting(path) : try disk.create(path)
        defer { disk.close(file) }
        let bytes = Array(text.utf8)
        try disk.truncate(file, to: 0)
        try disk.write(file, bytes.span, at: 0)
    }
}

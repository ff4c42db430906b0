import ConclaveCore
import ConclaveWire

/// Reads single files of a data directory for people: what is in them, and whether they are sound. Changes nothing.
package enum StoredFile {
    /// How a log ends.
    package enum LogEnd: Equatable, Sendable {
        /// Nothing but padding follows the last transaction.
        case clean
        /// The last write was interrupted by a crash; a server that starts cuts it off.
        case torn(TornTail)
        /// Something that was once synced is not what was written.
        case corrupt(StorageError)
    }

    /// What was found out about a log.
    package struct LogReport: Equatable, Sendable {
        package let end: LogEnd
        /// The length of the file.
        package let bytes: Int64
        /// Where the last whole transaction ends.
        package let usedBytes: Int64
        package let transactions: Int
        package let first: Zxid?
        package let last: Zxid?
        /// Sentences about what is odd and yet no damage of this file alone.
        package let warnings: [String]
    }

    /// Reads a log from its beginning.
    ///
    /// Without the files beside it a torn tail is judged by its look alone, as the end of the newest log.
    ///
    /// - Parameter visit: called with the place of each transaction, its length with all that frames it, and the transaction.
    package static func readLog<D: Disk>(
        _ path: String, disk: D, maximumTransactionBytes limit: Int = StorageOptions().maximumEntryBytes,
        visit: (Int64, Int64, Transaction) -> Void
    ) throws(StorageError) -> LogReport {
        var volume = Volume(disk: disk)
        let file = try volume.open(path)
        defer { volume.close(file) }
        let bytes = try volume.size(of: file)
        var reader = try LogFileReader(file, path: path, limit: limit, &volume)
        var (count, first, last): (Int, Zxid?, Zxid?) = (0, nil, nil)
        var warnings: [String] = []
        func report(_ end: LogEnd, _ reader: LogFileReader<D>) -> LogReport {
            LogReport(
                end: end, bytes: bytes, usedBytes: reader.offset, transactions: count, first: first, last: last,
                warnings: warnings)
        }
        while true {
            let start = max(reader.offset, Int64(LogFormat.headerBytes))
            let step: LogStep
            do { step = try reader.next(&volume) } catch {
                guard error.code == .corrupt else { throw error }
                return report(.corrupt(error), reader)
            }
            switch step {
            case .cleanEnd: return report(.clean, reader)
            case .damage(let damage):
                var inspector = TailInspector(reader, limit: limit, last: last ?? .zero)
                switch try inspector.judge(damage, confirmed: nil, &volume) {
                case .torn(let tail): return report(.torn(tail), reader)
                case .corrupt(let error): return report(.corrupt(error), reader)
                }
            case .transaction(let transaction):
                let zxid = transaction.header.zxid
                if let last, !last.isFollowed(by: zxid) {
                    warnings.append("at byte \(start): transaction \(zxid) does not follow \(last)")
                }
                if first == nil { first = zxid }
                last = zxid
                count += 1
                visit(start, reader.offset - start, transaction)
            }
        }
    }

    /// What was found out about a snapshot.
    package struct SnapshotReport: Sendable {
        package let zxid: Zxid
        package let nodes: Int
        package let digest: SnapshotDigest?
    }

    /// Reads a snapshot and checks its seals.
    ///
    /// - Parameters:
    ///   - name: what the file is called, which tells how it is packed and what it contains.
    ///   - target: gets the parts as they are read; what it got counts for nothing if this throws.
    /// - Throws: `.corrupt` with the place of the damage.
    package static func readSnapshot<D: Disk>(
        _ path: String, name: SnapshotName, disk: D, into target: inout some RecoveryTarget,
        maximumFieldBytes limit: Int = StorageOptions().maximumEntryBytes
    ) throws(StorageError) -> SnapshotReport {
        var volume = Volume(disk: disk)
        let file = try volume.open(path)
        defer { volume.close(file) }
        var reader = SnapshotReader<D>(file, name, path: path, limit: limit)
        let summary = try reader.load(into: &target, &volume)
        return SnapshotReport(zxid: summary.zxid, nodes: summary.nodes, digest: summary.digest)
    }
}

import ConclaveCore
import ConclaveWire

/// What a server has promised in elections.
package struct StoredEpochs: Equatable, Sendable {
    /// The highest epoch it promised to follow.
    package var accepted: Int64
    /// The epoch whose history it has adopted.
    package var current: Int64

    package init(accepted: Int64, current: Int64) {
        self.accepted = accepted
        self.current = current
    }
}

/// The epoch files: one decimal number each, replaced as a whole.
extension Store {
    /// Reads both, and makes what is missing from the newest transaction's epoch.
    ///
    /// - Throws: `.epochs` if they contradict the history or each other.
    package mutating func loadEpochs() throws(StorageError) -> StoredEpochs {
        try begin(in: .open)
        do throws(StorageError) {
            let logged = Int64(max(lastZxid, .zero).epoch)
            let current = try currentEpoch(logged)
            var accepted = logged
            if let stored = try readEpoch(FileName.acceptedEpoch) {
                accepted = stored
            } else {
                accepted = max(logged, current)
                try writeEpoch(accepted, FileName.acceptedEpoch)
            }
            guard accepted >= current else {
                throw StorageError(
                    .epochs, file: directory.snapshotPath(FileName.acceptedEpoch),
                    "the accepted epoch, \(accepted), is below the current one, \(current)")
            }
            return StoredEpochs(accepted: accepted, current: current)
        } catch { throw fail(error) }
    }

    /// Promises to follow no leader of an earlier epoch. Certain to survive when this returns.
    package mutating func setAcceptedEpoch(_ epoch: Int64) throws(StorageError) {
        try begin(in: .open)
        do throws(StorageError) { try writeEpoch(epoch, FileName.acceptedEpoch) } catch { throw fail(error) }
    }

    /// Adopts the history of an epoch, all of which must have been synced before. Certain to survive when this returns.
    package mutating func setCurrentEpoch(_ epoch: Int64) throws(StorageError) {
        try begin(in: .open)
        do throws(StorageError) { try writeEpoch(epoch, FileName.currentEpoch) } catch { throw fail(error) }
    }

    /// The number of this server in its ensemble; `nil` if there is no such file.
    ///
    /// - Throws: `.layout` if the first line is not a number.
    package mutating func serverID() throws(StorageError) -> Int64? {
        try begin(in: nil)
        do throws(StorageError) {
            return try readNumber(PathText.join(directory.root, FileName.serverID), .layout)
        } catch { throw fail(error) }
    }

    private mutating func currentEpoch(_ logged: Int64) throws(StorageError) -> Int64 {
        guard let stored = try readEpoch(FileName.currentEpoch) else {
            try writeEpoch(logged, FileName.currentEpoch)
            return logged
        }
        guard logged > stored else { return stored }
        // The history of the new epoch was adopted, and only the rename is missing.
        guard let pending = try pendingEpoch(), pending >= logged else {
            // A crash came between the new leader's transactions, which were synced first, and the epoch. Nobody was told
            // of them: the server goes on in its old epoch, which is safe, and not in the new one, which would not be.
            if let accepted = try readEpoch(FileName.acceptedEpoch), accepted >= logged { return stored }
            throw StorageError(
                .epochs, file: directory.snapshotPath(FileName.currentEpoch),
                "the current epoch is \(stored), but the newest transaction, \(lastZxid), is of epoch \(logged)")
        }
        try writeEpoch(pending, FileName.currentEpoch)
        return pending
    }

    /// What was about to become the current epoch. A file that was never written to its end says nothing: a failed write left it.
    private mutating func pendingEpoch() throws(StorageError) -> Int64? {
        do throws(StorageError) {
            return try readEpoch(FileName.currentEpoch + FileName.temporarySuffix)
        } catch {
            guard error.code == .epochs else { throw error }
            return nil
        }
    }

    mutating func readEpoch(_ name: String) throws(StorageError) -> Int64? {
        try readNumber(directory.snapshotPath(name), .epochs)
    }

    private mutating func writeEpoch(_ epoch: Int64, _ name: String) throws(StorageError) {
        try volume.publish(Array(String(epoch).utf8), as: name, in: directory.snapshots)
    }

    /// The decimal number in the first line of a file.
    private mutating func readNumber(_ path: String, _ code: StorageError.Code) throws(StorageError) -> Int64? {
        guard let bytes = try volume.readSmallFile(path) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        let line = text.split(whereSeparator: \.isNewline).first ?? ""
        let digits = line.drop(while: \.isWhitespace)
        guard let end = digits.lastIndex(where: { !$0.isWhitespace }), let number = Int64(digits[...end]), number >= 0
        else {
            throw StorageError(code, file: path, "expected a number, found \(bytes.isEmpty ? "an empty file" : "text")")
        }
        return number
    }
}

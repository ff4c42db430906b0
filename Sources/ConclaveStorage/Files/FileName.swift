import ConclaveCore

/// The names of files in a data directory.
///
/// ```
/// <dataDir>/myid                     the server's number
/// <dataDir>/version-2/snapshot.<zxid>[.gz|.snappy]
/// <dataDir>/version-2/acceptedEpoch, currentEpoch
/// <dataLogDir>/initialize            an empty start is allowed
/// <dataLogDir>/version-2/log.<zxid>
/// <dataLogDir>/version-2/conclave.confirmed
/// ```
///
/// Zxids are lower-case hexadecimal without padding. A log is named after its first transaction, a snapshot after the last
/// one it contains.
package enum FileName {
    package static let versionDirectory = "version-2"
    package static let acceptedEpoch = "acceptedEpoch"
    package static let currentEpoch = "currentEpoch"
    package static let serverID = "myid"
    package static let initialize = "initialize"
    /// See ``ConfirmedMark``.
    package static let confirmed = "conclave.confirmed"
    /// Files with this ending are being written; a crash leaves them behind.
    package static let temporarySuffix = ".tmp"

    package static func log(_ zxid: Zxid) -> String { "log." + hexadecimal(zxid) }
    package static func snapshot(_ zxid: Zxid) -> String { "snapshot." + hexadecimal(zxid) }

    static func hexadecimal(_ zxid: Zxid) -> String { String(UInt64(bitPattern: zxid.rawValue), radix: 16) }

    /// The zxid in `log.<zxid>`; `nil` for every other name.
    package static func logZxid(_ name: String) -> Zxid? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "log" else { return nil }
        return zxid(parts[1])
    }

    /// What the name of a snapshot says; `nil` for every other name.
    package static func snapshot(_ name: String) -> SnapshotName? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3, parts[0] == "snapshot", let zxid = zxid(parts[1]) else {
            return nil
        }
        guard parts.count == 3 else { return SnapshotName(name: name, zxid: zxid, compression: .none) }
        guard let compression = SnapshotCompression(suffix: parts[2]) else { return nil }
        return SnapshotName(name: name, zxid: zxid, compression: compression)
    }

    private static func zxid(_ text: Substring) -> Zxid? {
        guard text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let value = UInt64(text, radix: 16)
        else { return nil }
        return Zxid(rawValue: Int64(bitPattern: value))
    }
}

/// How the bytes of a snapshot file are packed; told by the last part of its name.
package enum SnapshotCompression: Equatable, Sendable {
    case none
    case gzip
    case snappy

    init?(suffix: Substring) {
        switch suffix {
        case "gz": self = .gzip
        case "snappy": self = .snappy
        default: return nil
        }
    }
}

/// A snapshot file as its name describes it.
package struct SnapshotName: Equatable, Sendable {
    package let name: String
    /// The last transaction it contains.
    package let zxid: Zxid
    package let compression: SnapshotCompression
}

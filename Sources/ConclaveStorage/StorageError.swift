import ConclaveCore

/// Storage cannot do what it was asked to do, or must not.
///
/// Final for the store that threw it: what is on disk is no longer known to be what the server believes (DESIGN D5). The
/// message is for the operator: it says what was expected, what was found and, where there is a way out, which.
package struct StorageError: Error, Equatable, Sendable {
    package enum Code: Equatable, Sendable {
        /// The disk refused an operation.
        case disk
        /// The disk is full.
        case full
        /// Bytes that were once synced are not what was written.
        case corrupt
        /// The history has a hole: the next transaction present does not follow the last one.
        case gap
        /// Something that storage once had is gone: a log, a snapshot, the end of the history.
        case missing
        /// Logs without a snapshot to start from.
        case noSnapshot
        /// Files lie where they must not lie.
        case layout
        /// The epoch files contradict each other or the history.
        case epochs
        /// A format this release does not read.
        case unsupported
        /// The caller broke the rules, for instance appended transactions out of order.
        case misuse
        /// The store failed before and does nothing any more.
        case stopped
    }

    package let code: Code
    /// The path of the file concerned.
    package let file: String?
    /// Where in the file, in bytes.
    package let offset: Int64?
    package let message: String

    package init(_ code: Code, file: String? = nil, offset: Int64? = nil, _ message: String) {
        self.code = code
        self.file = file
        self.offset = offset
        self.message = message
    }

    init(_ error: DiskError) {
        self.init(error.reason == .full ? .full : .disk, file: error.path, error.message)
    }
}

extension StorageError: CustomStringConvertible {
    package var description: String {
        var place = file ?? ""
        if let offset { place += " at byte \(offset)" }
        return place.isEmpty ? message : place + ": " + message
    }
}

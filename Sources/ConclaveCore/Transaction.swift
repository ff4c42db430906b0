/// One entry of the replicated history: who asked for it, where it stands in the order, and what it changes.
///
/// A transaction has been validated before it is made, so applying it cannot fail (DESIGN D6).
package struct Transaction: Equatable, Sendable {
    package var header: TransactionHeader
    package var change: Change
    /// The digest of the whole tree after this transaction; `nil` where none was recorded.
    package var digest: TreeDigest?

    package init(header: TransactionHeader, change: Change, digest: TreeDigest? = nil) {
        self.header = header
        self.change = change
        self.digest = digest
    }
}

/// Who asked for a transaction, and when. On the wire 32 bytes, the operation code of the change behind it included.
package struct TransactionHeader: Equatable, Sendable {
    /// The session that asked; 0 for clean-ups by the server.
    package var session: SessionID
    /// The client's number of the request.
    package var cxid: Int32
    package var zxid: Zxid
    /// The leader's wall clock, milliseconds since 1970.
    package var timeMilliseconds: Int64

    package init(session: SessionID, cxid: Int32, zxid: Zxid, timeMilliseconds: Int64) {
        self.session = session
        self.cxid = cxid
        self.zxid = zxid
        self.timeMilliseconds = timeMilliseconds
    }
}

/// The digest of a tree, with the version of the rule that computed it.
package struct TreeDigest: Equatable, Sendable {
    package static let currentVersion: Int32 = 2

    package var version: Int32
    package var value: Int64

    package init(version: Int32 = TreeDigest.currentVersion, value: Int64) {
        self.version = version
        self.value = value
    }
}

/// What a transaction changes.
///
/// The names and fields are those of the stored records; every version carried is the **new** one, and `childCreates` (in
/// the records "parentCVersion") is the parent's stored child counter after the create.
package enum Change: Equatable, Sendable {
    case create(CreateChange)
    case delete(path: NodePath)
    case deleteContainer(path: NodePath)
    case setData(path: NodePath, data: [UInt8]?, version: Int32)
    case reconfigure(path: NodePath, data: [UInt8]?, version: Int32)
    case setACL(path: NodePath, acl: [ACL], version: Int32)
    case createSession(timeoutMilliseconds: Int32)
    /// `paths` lists the session's ephemerals; `nil` in logs of releases before 3.6.
    case closeSession(paths: [NodePath]?)
    /// The request failed validation; only the zxid is used up.
    case error(code: Int32)
    /// All or nothing; if any part is an error nothing is applied.
    case multi([Change])
    /// Only inside a multi; changes nothing.
    case check(path: NodePath, version: Int32)
}

/// A node comes into being.
package struct CreateChange: Equatable, Sendable {
    /// Which record the create is stored in.
    package enum Form: Equatable, Sendable { case create, create2, container, timeToLive }

    package var form: Form
    package var path: NodePath
    package var data: [UInt8]?
    package var acl: [ACL]
    /// Owned by the session of the header.
    package var isEphemeral: Bool
    /// The parent's child counter after this create; -1 in old logs, meaning "one more than now".
    package var parentChildCreates: Int32
    /// Only with `.timeToLive`.
    package var timeToLiveMilliseconds: Int64

    package init(
        form: Form, path: NodePath, data: [UInt8]?, acl: [ACL], isEphemeral: Bool, parentChildCreates: Int32,
        timeToLiveMilliseconds: Int64 = 0
    ) {
        self.form = form
        self.path = path
        self.data = data
        self.acl = acl
        self.isEphemeral = isEphemeral
        self.parentChildCreates = parentChildCreates
        self.timeToLiveMilliseconds = timeToLiveMilliseconds
    }
}

extension Change {
    /// The operation code that the change is stored under.
    package var operation: OperationCode {
        switch self {
        case .create(let create):
            switch create.form {
            case .create: .create
            case .create2: .create2
            case .container: .createContainer
            case .timeToLive: .createTTL
            }
        case .delete: .delete
        case .deleteContainer: .deleteContainer
        case .setData: .setData
        case .reconfigure: .reconfig
        case .setACL: .setACL
        case .createSession: .createSession
        case .closeSession: .closeSession
        case .error: .error
        case .multi: .multi
        case .check: .check
        }
    }
}

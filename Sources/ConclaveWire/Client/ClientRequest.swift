import ConclaveCore

/// A request with owned values: what clients encode and what servers decode writes to.
///
/// Servers read the frequent reads with ``PathAndFlag`` instead, which copies nothing.
package enum ClientRequest: Equatable, Sendable {
    /// One of four operations; the request says which.
    case create(CreateRequest)
    case delete(path: NodePath, version: Int32)
    case exists(path: NodePath, watch: Bool)
    case getData(path: NodePath, watch: Bool)
    case setData(path: NodePath, data: [UInt8]?, version: Int32)
    case getACL(path: NodePath)
    case setACL(path: NodePath, acl: [ACL], version: Int32)
    case getChildren(path: NodePath, watch: Bool)
    case getChildren2(path: NodePath, watch: Bool)
    case sync(path: NodePath)
    case ping
    /// Allowed by servers only inside a multi.
    case check(path: NodePath, version: Int32)
    /// Creates, deletes, setData and checks: all or nothing.
    case multi([ClientRequest])
    /// getData and getChildren, each with a result of its own.
    case multiRead([ClientRequest])
    case reconfig(joining: String?, leaving: String?, newMembers: String?, version: Int64)
    /// 1 children, 2 data, 3 any.
    case checkWatches(path: NodePath, type: Int32)
    /// 1 children, 2 data, 3 any.
    case removeWatches(path: NodePath, type: Int32)
    case auth(scheme: String, credential: [UInt8])
    case sasl(token: [UInt8])
    /// setWatches or setWatches2; see ``SetWatches/operation``.
    case setWatches(SetWatches)
    /// `nil`: all.
    case getEphemerals(prefix: NodePath?)
    case getAllChildrenNumber(path: NodePath)
    /// 0 persistent, 1 persistent and recursive.
    case addWatch(path: NodePath, mode: Int32)
    case whoAmI
    case closeSession

    /// The code that the header carries.
    package var operation: OperationCode {
        switch self {
        case .create(let request): request.operation
        case .delete: .delete
        case .exists: .exists
        case .getData: .getData
        case .setData: .setData
        case .getACL: .getACL
        case .setACL: .setACL
        case .getChildren: .getChildren
        case .getChildren2: .getChildren2
        case .sync: .sync
        case .ping: .ping
        case .check: .check
        case .multi: .multi
        case .multiRead: .multiRead
        case .reconfig: .reconfig
        case .checkWatches: .checkWatches
        case .removeWatches: .removeWatches
        case .auth: .auth
        case .sasl: .sasl
        case .setWatches(let watches): watches.operation
        case .getEphemerals: .getEphemerals
        case .getAllChildrenNumber: .getAllChildrenNumber
        case .addWatch: .addWatch
        case .whoAmI: .whoAmI
        case .closeSession: .closeSession
        }
    }
}

extension OperationCode {
    /// Whether ``ClientRequest/decode(_:from:)`` knows the operation. What it does not know, servers answer with
    /// unimplemented instead of a marshalling error.
    package var isClientRequest: Bool {
        switch self {
        case .create, .create2, .createContainer, .createTTL, .delete, .exists, .getData, .setData, .getACL, .setACL,
            .getChildren, .getChildren2, .sync, .ping, .check, .multi, .multiRead, .reconfig, .checkWatches,
            .removeWatches,
            .auth, .sasl, .setWatches, .setWatches2, .getEphemerals, .getAllChildrenNumber, .addWatch, .whoAmI,
            .closeSession:
            true
        default: false
        }
    }
}

import ConclaveCore

/// What clients ask for.
package enum TreeRequest: Equatable, Sendable {
    case create(String, value: Int64, isEphemeral: Bool, isSequential: Bool)
    case delete(String, version: Int32)
    case set(String, value: Int64, version: Int32)
    case check(String, version: Int32)
    case multi([TreeRequest])
    case get(String)
    case exists(String)
    case children(String)
    /// Goes through the leader; asks for nothing.
    case sync(String)

    var isWrite: Bool {
        switch self {
        case .create, .delete, .set, .check, .multi: true
        case .get, .exists, .children, .sync: false
        }
    }
}

/// What clients are told. Times are left out: they are the leader's.
package enum TreeResponse: Equatable, Sendable {
    case done
    case created(String)
    case stat(TreeStat)
    case data(Int64, TreeStat)
    case children([String], TreeStat)
    case error(Int32)
    case multi([TreeResponse])
}

/// A stat without times.
package struct TreeStat: Equatable, Sendable {
    var czxid: Zxid
    var mzxid: Zxid
    var pzxid: Zxid
    var version: Int32
    var cversion: Int32
    var owner: SessionID
    var children: Int32
}

/// What a watch is set on.
package struct TreeWatchKey: Hashable, Sendable {
    package var path: String
    package var isOnChildren: Bool
}

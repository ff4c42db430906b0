import ConclaveCore

/// What nodes hold.
package protocol TreeValue: Equatable, Sendable {
    /// What the root holds.
    static var none: Self { get }
}

extension Int64: TreeValue {
    package static var none: Int64 { 0 }
}

extension [UInt8]: TreeValue {
    package static var none: [UInt8] { [] }
}

/// What clients ask for.
package enum TreeRequest<Value: TreeValue>: Equatable, Sendable {
    case create(String, value: Value, isEphemeral: Bool, isSequential: Bool)
    case delete(String, version: Int32)
    case set(String, value: Value, version: Int32)
    case check(String, version: Int32)
    case multi([TreeRequest])
    case get(String)
    case exists(String)
    case children(String)
    /// Several reads at once, each with an answer of its own.
    case bundle([TreeRequest])
    /// Goes through the leader; asks for nothing.
    case sync(String)

    package var isWrite: Bool {
        switch self {
        case .create, .delete, .set, .check, .multi: true
        case .get, .exists, .children, .bundle, .sync: false
        }
    }
}

/// What clients are told. Times are left out: they are the leader's.
package enum TreeResponse<Value: TreeValue>: Equatable, Sendable {
    case done
    case created(String)
    case stat(TreeStat)
    case data(Value, TreeStat)
    /// Without facts in a bundle.
    case children([String], TreeStat?)
    case error(Int32)
    case multi([TreeResponse])
}

/// A stat without times.
package struct TreeStat: Equatable, Sendable {
    package var czxid: Zxid
    package var mzxid: Zxid
    package var pzxid: Zxid
    package var version: Int32
    package var cversion: Int32
    package var owner: SessionID
    package var children: Int32
}

/// What a watch is set on.
package struct TreeWatchKey: Hashable, Sendable {
    package var path: String
    package var isOnChildren: Bool

    package init(path: String, isOnChildren: Bool) {
        self.path = path
        self.isOnChildren = isOnChildren
    }
}

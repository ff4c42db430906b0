import ConclaveClient
import ConclaveCore

/// What a recipe's machine asks of its ensemble.
///
/// Reads with `watch` arm a one-shot watch if they succeed; it is heard during a later wait, also if it fired before.
/// Reading again at the same path with a watch of the same kind replaces it.
package enum StepRequest: Hashable, Sendable {
    /// The data of a node; `noNode` if there is none, and no watch.
    case data(String, watch: Bool = false)
    /// The facts of a node or that there is none; the watch sees creation, change and deletion.
    case exists(String, watch: Bool = false)
    /// The children of a node; `noNode` if it does not exist, and no watch.
    case children(String, watch: Bool = false)
    /// The data of many nodes in one request, in this order; `nil` for those that are missing or must not be read.
    case dataOfMany([String])
    /// The same, each that is there with a watch as of ``data(_:watch:)``; one request for each node, sent together.
    case watchDataOfMany([String])
    /// Brings the server up to date with the leader.
    case sync(String)
    /// One operation by itself, several as a transaction: all or nothing.
    case write([Operation])
    /// Makes the node and what is missing above it; content if all of it exists.
    case makeParents(String, CreateMode)
}

/// What a request brought.
package enum StepAnswer: Hashable, Sendable {
    case data(NodeData)
    case exists(Stat?)
    case children(Children)
    case dataOfMany([NodeData?])
    /// One result for each operation. A create by itself tells the node's facts, one in a transaction does not.
    case written([OperationResult])
    /// After a sync, or when the parents are there.
    case done
}

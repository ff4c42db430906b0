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
    /// Several reads in one request, performed in this order though not at one moment; at most a hundred.
    case read([ReadOperation])
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
    /// One for each read.
    case read([StepReading])
    /// One result for each operation. A create by itself tells the node's facts, one in a transaction does not.
    case written([OperationResult])
    /// After a sync, or when the parents are there.
    case done
}

/// What one of several reads in one request brought.
package enum StepReading: Hashable, Sendable {
    case data(NodeData)
    /// The names of the children, sorted.
    case children([String])
    case failed(ZooKeeperError.Code)

    package init(_ result: ReadResult) {
        self =
            switch result {
            case .data(let node): .data(node)
            case .children(let names): .children(names)
            case .failed(let error): .failed(error.code)
            }
    }
}

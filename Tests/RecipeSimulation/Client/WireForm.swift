import ClusterSimulation
import ConclaveClient
import ConclaveCore
import ConclaveSession
import ConclaveWire
import Recipes

/// What recipes ask, what goes over the wire, and what the model of the tree understands: one into the other.
enum WireForm {
    typealias Model = TreeModel<[UInt8]>

    // MARK: From recipes to the wire

    static func request(_ operation: Operation) -> ClientRequest {
        switch operation {
        case .create(let path, let data, let mode, let acl):
            .create(CreateRequest(path: NodePath(path), data: data, acl: acl, mode: mode, wantsStat: true))
        case .delete(let path, let version): .delete(path: NodePath(path), version: version ?? -1)
        case .setData(let path, let data, let version):
            .setData(path: NodePath(path), data: data, version: version ?? -1)
        case .check(let path, let version): .check(path: NodePath(path), version: version ?? -1)
        }
    }

    static func request(_ read: ReadOperation) -> ClientRequest {
        switch read {
        case .data(let path): .getData(path: NodePath(path), watch: false)
        case .children(let path): .getChildren(path: NodePath(path), watch: false)
        }
    }

    /// One operation by itself, several, and a check alone, as a transaction.
    static func request(_ operations: [Operation]) -> ClientRequest {
        guard operations.count == 1, let operation = operations.first else {
            return .multi(operations.map(request))
        }
        if case .check = operation { return .multi([request(operation)]) }
        return request(operation)
    }

    static func path(of request: ClientRequest) -> NodePath? {
        switch request {
        case .exists(let path, _), .getData(let path, _), .getChildren2(let path, _): path
        default: nil
        }
    }

    // MARK: From the wire to recipes

    /// The result of a write; `nil` if the server's answer has another form.
    static func results(_ body: ReplyBody, of operations: [Operation]) -> [OperationResult]? {
        switch body {
        case .created(let path, let stat): return [.created(path: path, stat: stat)]
        case .stat(let stat): return [.dataSet(stat)]
        case .none: return [.deleted]
        case .multi(let results):
            return results.compactMap { result -> OperationResult? in
                switch result {
                case .created(let path, let stat): .created(path: path, stat: stat)
                case .deleted: .deleted
                case .dataSet(let stat): .dataSet(stat)
                case .checked: .checked
                case .data, .children, .failed: nil
                }
            }
        default: return nil
        }
    }

    static func reading(_ result: MultiResult) -> StepReading {
        switch result {
        case .data(let data, let stat): .data(NodeData(data: data, stat: stat))
        case .children(let names): .children(names.sorted())
        case .failed(let code): .failed(code)
        case .created, .deleted, .dataSet, .checked: .failed(.protocolViolation)
        }
    }

    // MARK: To the model

    static func tree(_ request: ClientRequest) -> Model.Request {
        switch request {
        case .create(let create):
            // Bit 0: ephemeral, bit 1: sequential; 4 is a container, which the model takes for a persistent node.
            return .create(
                create.path.text, value: create.data ?? [], isEphemeral: create.flags == 1 || create.flags == 3,
                isSequential: create.flags == 2 || create.flags == 3)
        case .delete(let path, let version): return .delete(path.text, version: version)
        case .setData(let path, let data, let version): return .set(path.text, value: data ?? [], version: version)
        case .check(let path, let version): return .check(path.text, version: version)
        case .multi(let parts): return .multi(parts.map(tree))
        case .multiRead(let parts): return .bundle(parts.map(tree))
        case .exists(let path, _): return .exists(path.text)
        case .getData(let path, _): return .get(path.text)
        case .getChildren(let path, _), .getChildren2(let path, _): return .children(path.text)
        case .sync(let path): return .sync(path.text)
        default: preconditionFailure("recipes do not ask for \(request)")
        }
    }

    static func response(_ body: ReplyBody, to request: Model.Request) -> Model.Response {
        if case .sync = request { return .done }
        return switch body {
        case .created(let path, _): .created(path)
        case .stat(let stat): .stat(facts(stat))
        case .data(let data, let stat): .data(data ?? [], facts(stat))
        case .children(let names, let stat): .children(names.sorted(), facts(stat))
        case .multi(let results): .multi(results.map(response))
        default: .done
        }
    }

    private static func response(_ result: MultiResult) -> Model.Response {
        switch result {
        case .created(let path, _): .created(path)
        case .dataSet(let stat): .stat(facts(stat))
        case .failed(let code): .error(code.rawValue)
        case .data(let data, let stat): .data(data ?? [], facts(stat))
        case .children(let names): .children(names.sorted(), nil)
        case .deleted, .checked: .done
        }
    }

    /// A container's facts name an owner that is no session.
    private static func facts(_ stat: Stat) -> TreeStat {
        var facts = TreeStat(stat)
        if facts.owner.rawValue == Int64.min { facts.owner = .none }
        return facts
    }
}

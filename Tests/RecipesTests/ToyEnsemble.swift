import ConclaveClient
import ConclaveCore

@testable import Recipes

/// A tree of nodes in memory that answers the requests of machines: versions, sequence numbers, ephemeral owners,
/// transactions. Enough to run many machines against each other from a seed.
struct ToyEnsemble {
    struct Node {
        var data: [UInt8]
        var czxid: Int64
        var mzxid: Int64
        var version: Int32 = 0
        var owner: SessionID = .none
        var counter: Int32 = 0
    }

    private(set) var nodes: [String: Node] = ["/": Node(data: [], czxid: 0, mzxid: 0)]
    private var zxid: Int64 = 0
    /// What has changed in the last request: created and deleted nodes, data set, parents of the first two.
    private(set) var changes: [(path: String, kind: Change)] = []

    enum Change { case existence, data, children }

    func children(of path: String) -> [String] {
        let prefix = path == "/" ? "/" : path + "/"
        return nodes.keys.filter { $0 != "/" && $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains("/") }
            .map { String($0.dropFirst(prefix.count)) }.sorted()
    }

    func stat(_ path: String) -> Stat? {
        guard let node = nodes[path] else { return nil }
        let children = Int32(children(of: path).count)
        return Stat(
            czxid: Zxid(rawValue: node.czxid), mzxid: Zxid(rawValue: node.mzxid), ctime: 0, mtime: 0,
            version: node.version, cversion: 2 * node.counter - children, aversion: 0, ephemeralOwner: node.owner,
            dataLength: Int32(node.data.count), numChildren: children, pzxid: .zero)
    }

    /// Performs a request of a session: the answer, or the code and the path of what failed.
    mutating func perform(_ request: StepRequest, of session: SessionID) -> StepEvent {
        changes = []
        switch request {
        case .data(let path, _):
            guard let node = nodes[path], let stat = stat(path) else { return .failed(.noNode, at: path) }
            return .answered(.data(NodeData(data: node.data, stat: stat)), isWindowOpen: true)
        case .exists(let path, _): return .answered(.exists(stat(path)), isWindowOpen: true)
        case .children(let path, _):
            guard let stat = stat(path) else { return .failed(.noNode, at: path) }
            return .answered(.children(Children(names: children(of: path), stat: stat)), isWindowOpen: true)
        case .dataOfMany(let paths), .watchDataOfMany(let paths):
            let found = paths.map { path in
                nodes[path].flatMap { node in stat(path).map { NodeData(data: node.data, stat: $0) } }
            }
            return .answered(.dataOfMany(found), isWindowOpen: true)
        case .read(let reads):
            return .answered(
                .read(
                    reads.map { read in
                        guard let node = nodes[read.path], let stat = stat(read.path) else { return .failed(.noNode) }
                        return switch read {
                        case .data: .data(NodeData(data: node.data, stat: stat))
                        case .children(let path): .children(children(of: path))
                        }
                    }), isWindowOpen: true)
        case .sync: return .answered(.done, isWindowOpen: true)
        case .write(let operations): return write(operations, of: session)
        case .makeParents(let path, _):
            var made = ""
            for part in path.split(separator: "/") {
                made += "/" + part
                if nodes[made] == nil {
                    _ = write([.create(made, [], mode: .persistent)], of: session)
                }
            }
            return .answered(.done, isWindowOpen: true)
        }
    }

    mutating func expire(_ session: SessionID) {
        changes = []
        zxid += 1
        for path in nodes.filter({ $0.value.owner == session }).keys.sorted() { remove(path) }
    }

    mutating func removeIfPresent(_ path: String) {
        changes = []
        zxid += 1
        if nodes[path] != nil { remove(path) }
    }

    private mutating func write(_ operations: [Operation], of session: SessionID) -> StepEvent {
        let before = (nodes, zxid)
        zxid += 1
        var results: [OperationResult] = []
        for operation in operations {
            switch apply(operation, of: session) {
            case .success(let result): results.append(result)
            case .failure(let failure):
                (nodes, zxid) = before
                changes = []
                return .failed(failure.code, at: operation.path)
            }
        }
        return .answered(.written(results), isWindowOpen: true)
    }

    private struct Failure: Error { let code: ZooKeeperError.Code }

    private mutating func apply(
        _ operation: Operation, of session: SessionID
    ) -> Result<OperationResult, Failure> {
        switch operation {
        case .create(let asked, let data, let mode, _):
            let parent = NodePath(asked).parent?.text ?? "/"
            guard let counter = nodes[parent]?.counter else { return .failure(Failure(code: .noNode)) }
            var path = asked
            if mode.isSequential {
                let digits = String(counter)
                path += String(repeating: "0", count: 10 - digits.count) + digits
            }
            guard nodes[path] == nil else { return .failure(Failure(code: .nodeExists)) }
            nodes[path] = Node(
                data: data ?? [], czxid: zxid, mzxid: zxid, owner: mode.isEphemeral ? session : .none)
            nodes[parent]?.counter += 1
            changes += [(path, .existence), (parent, .children)]
            return .success(.created(path: path, stat: stat(path)))
        case .delete(let path, let version):
            guard let node = nodes[path] else { return .failure(Failure(code: .noNode)) }
            guard version == nil || version == node.version else { return .failure(Failure(code: .badVersion)) }
            guard children(of: path).isEmpty else { return .failure(Failure(code: .notEmpty)) }
            remove(path)
            return .success(.deleted)
        case .setData(let path, let data, let version):
            guard let node = nodes[path] else { return .failure(Failure(code: .noNode)) }
            guard version == nil || version == node.version else { return .failure(Failure(code: .badVersion)) }
            nodes[path]?.data = data ?? []
            nodes[path]?.version += 1
            nodes[path]?.mzxid = zxid
            changes.append((path, .data))
            guard let stat = stat(path) else { return .failure(Failure(code: .noNode)) }
            return .success(.dataSet(stat))
        case .check(let path, let version):
            guard let node = nodes[path] else { return .failure(Failure(code: .noNode)) }
            guard version == nil || version == node.version else { return .failure(Failure(code: .badVersion)) }
            return .success(.checked)
        }
    }

    private mutating func remove(_ path: String) {
        nodes[path] = nil
        changes += [(path, .existence), (NodePath(path).parent?.text ?? "/", .children)]
    }
}

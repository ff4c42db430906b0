import ConclaveCore
import ConclaveSimulator

/// A tree of nodes as ZooKeeper's documentation describes it, as simple as can be.
package struct TreeModel<Value: TreeValue>: ReferenceModel {
    package typealias Request = TreeRequest<Value>
    package typealias Response = TreeResponse<Value>
    package typealias WatchKey = TreeWatchKey

    private struct Node {
        var value: Value
        var czxid: Zxid
        var mzxid: Zxid
        var pzxid: Zxid
        var version: Int32 = 0
        var creates: Int32 = 0
        var owner: SessionID
        var children: Set<String> = []

        var stat: TreeStat {
            TreeStat(
                czxid: czxid, mzxid: mzxid, pzxid: pzxid, version: version,
                cversion: creates * 2 - Int32(children.count), owner: owner, children: Int32(children.count))
        }
    }

    private struct Refusal: Error {
        var code: ZooKeeperError.Code
        init(_ code: ZooKeeperError.Code) { self.code = code }
    }

    private var nodes: [String: Node] = [
        "/": Node(value: .none, czxid: .zero, mzxid: .zero, pzxid: .zero, owner: .none, children: ["zookeeper"])
    ]
    private var changes: [TreeWatchKey] = []
    /// For lasting watches, which are told every time; only if wanted.
    package var keepsEvents = false
    private var events: [WatchEvent] = []

    package init() {}

    // MARK: Writes

    package mutating func perform(_ request: Request, session: SessionID, zxid: Zxid) -> Response {
        guard case .multi(let parts) = request else {
            do throws(Refusal) { return try change(request, session, zxid) } catch {
                return .error(error.code.rawValue)
            }
        }
        let (before, changesBefore, eventsBefore) = (nodes, changes, events)
        var responses: [Response] = []
        for (index, part) in parts.enumerated() {
            do throws(Refusal) {
                responses.append(try change(part, session, zxid))
            } catch {
                (nodes, changes, events) = (before, changesBefore, eventsBefore)
                let inconsistency = ZooKeeperError.Code.runtimeInconsistency.rawValue
                return .multi(
                    parts.indices.map { part in
                        .error(part < index ? 0 : part == index ? error.code.rawValue : inconsistency)
                    })
            }
        }
        return .multi(responses)
    }

    private mutating func change(
        _ request: Request, _ session: SessionID, _ zxid: Zxid
    ) throws(Refusal) -> Response {
        switch request {
        case .create(let path, let value, let isEphemeral, let isSequential):
            return try create(path, value, isEphemeral ? session : .none, isSequential, zxid)
        case .delete(let path, let version):
            guard let node = nodes[path] else { throw Refusal(.noNode) }
            guard version == -1 || version == node.version else { throw Refusal(.badVersion) }
            guard node.children.isEmpty else { throw Refusal(.notEmpty) }
            remove(path, zxid)
            return .done
        case .set(let path, let value, let version):
            guard let node = nodes[path] else { throw Refusal(.noNode) }
            guard version == -1 || version == node.version else { throw Refusal(.badVersion) }
            nodes[path]?.value = value
            nodes[path]?.version += 1
            nodes[path]?.mzxid = zxid
            changed(path)
            tell(.dataChanged, path)
            return nodes[path].map { .stat($0.stat) } ?? .done
        case .check(let path, let version):
            guard let node = nodes[path] else { throw Refusal(.noNode) }
            guard version == -1 || version == node.version else { throw Refusal(.badVersion) }
            return .done
        case .multi, .get, .exists, .children, .sync, .bundle: return .done
        }
    }

    private mutating func create(
        _ path: String, _ value: Value, _ owner: SessionID, _ isSequential: Bool, _ zxid: Zxid
    ) throws(Refusal) -> Response {
        let (parent, _) = Self.split(path)
        guard let above = nodes[parent] else { throw Refusal(.noNode) }
        var path = path
        if isSequential {
            let digits = String(above.creates)
            path += String(repeating: "0", count: max(0, 10 - digits.count)) + digits
        }
        guard nodes[path] == nil else { throw Refusal(.nodeExists) }
        guard above.owner == .none else { throw Refusal(.noChildrenForEphemerals) }
        nodes[path] = Node(value: value, czxid: zxid, mzxid: zxid, pzxid: zxid, owner: owner)
        nodes[parent]?.children.insert(Self.split(path).name)
        nodes[parent]?.creates += 1
        nodes[parent]?.pzxid = zxid
        changed(path)
        tell(.created, path)
        childrenChanged(parent)
        return .created(path)
    }

    private mutating func remove(_ path: String, _ zxid: Zxid) {
        let (parent, name) = Self.split(path)
        nodes[path] = nil
        nodes[parent]?.children.remove(name)
        nodes[parent]?.pzxid = zxid
        changed(path)
        changes.append(TreeWatchKey(path: path, isOnChildren: true))
        tell(.deleted, path)
        childrenChanged(parent)
    }

    private mutating func childrenChanged(_ path: String) {
        changes.append(TreeWatchKey(path: path, isOnChildren: true))
        tell(.childrenChanged, path)
    }

    private mutating func tell(_ kind: WatchEvent.Kind, _ path: String) {
        if keepsEvents { events.append(WatchEvent(kind, path: path)) }
    }

    private mutating func changed(_ path: String) { changes.append(TreeWatchKey(path: path, isOnChildren: false)) }

    package mutating func close(_ session: SessionID, zxid: Zxid) {
        let owned = nodes.filter { $0.value.owner == session }.keys.sorted()
        for path in owned { remove(path, zxid) }
    }

    package mutating func remove(_ path: String, zxid: Zxid) {
        if nodes[path]?.children.isEmpty == true { remove(path, zxid) }
    }

    package mutating func takeChanges() -> [TreeWatchKey] {
        defer { changes.removeAll(keepingCapacity: true) }
        return changes
    }

    /// What lasting watches must hear of the last write or end of a session.
    package mutating func takeEvents() -> [WatchEvent] {
        defer { events.removeAll(keepingCapacity: true) }
        return events
    }

    // MARK: Reads

    package func read(_ request: Request, session: SessionID) -> Response {
        switch request {
        case .get(let path):
            guard let node = nodes[path] else { return .error(ZooKeeperError.Code.noNode.rawValue) }
            return .data(node.value, node.stat)
        case .exists(let path):
            guard let node = nodes[path] else { return .error(ZooKeeperError.Code.noNode.rawValue) }
            return .stat(node.stat)
        case .children(let path):
            guard let node = nodes[path] else { return .error(ZooKeeperError.Code.noNode.rawValue) }
            return .children(node.children.sorted(), node.stat)
        case .bundle(let reads):
            return .multi(
                reads.map { part in
                    // Children in a bundle come without the parent's facts.
                    guard case .children(let names, _) = read(part, session: session) else {
                        return read(part, session: session)
                    }
                    return .children(names, nil)
                })
        case .sync, .create, .delete, .set, .check, .multi: return .done
        }
    }

    /// What a node holds and its facts; `nil` if it does not exist.
    package func node(at path: String) -> (value: Value, stat: TreeStat)? {
        nodes[path].map { ($0.value, $0.stat) }
    }

    private static func split(_ path: String) -> (parent: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return ("/", path) }
        let parent = slash == path.startIndex ? "/" : String(path[..<slash])
        return (parent, String(path[path.index(after: slash)...]))
    }
}

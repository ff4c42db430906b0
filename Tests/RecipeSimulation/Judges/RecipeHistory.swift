import ClusterSimulation
import ConclaveCore
import ConclaveSimulator

/// What became of every node, from the committed transactions: when it came, whose it was, when it went.
///
/// The transactions name the request; the records of the clients say what it was. A model of the tree carries it out.
struct RecipeHistory {
    struct Life {
        let path: String
        let owner: SessionID
        let created: Zxid
        /// `nil` if the node was there at the end.
        var deleted: Zxid?

        func isThere(at zxid: Zxid) -> Bool { created <= zxid && deleted.map { zxid < $0 } ?? true }
    }

    struct Write {
        let zxid: Zxid
        let path: String
        let value: [UInt8]
        let session: SessionID
    }

    private struct RequestKey: Hashable {
        let session: SessionID
        let cxid: Int32
    }

    private struct NodeKey: Hashable {
        let path: String
        let created: Zxid
    }

    /// In the order in which they began.
    private(set) var lives: [Life] = []
    private(set) var writes: [Write] = []
    // Asked for single nodes only.
    private var places: [NodeKey: Int] = [:]
    private var current: [String: Int] = [:]
    private var below: [String: [Int]] = [:]

    init(_ testimony: Testimony<RecipeClient>) {
        var requests: [RequestKey: RecipeClient.Model.Request] = [:]
        for witness in testimony.witnesses {
            for operation in witness.record.operations where operation.isWrite {
                requests[RequestKey(session: operation.session, cxid: operation.cxid)] = operation.request
            }
        }
        var model = RecipeClient.Model()
        for entry in testimony.committed {
            switch entry.kind {
            case .other:
                guard let path = entry.removed else { continue }
                model.remove(path, zxid: entry.zxid)
            case .closeSession: model.close(entry.session, zxid: entry.zxid)
            case .request:
                guard let request = requests[RequestKey(session: entry.session, cxid: entry.cxid)] else { continue }
                _ = model.perform(request, session: entry.session, zxid: entry.zxid)
            }
            for change in model.takeChanges() where !change.isOnChildren { note(change.path, entry, model) }
        }
    }

    private mutating func note(_ path: String, _ entry: LogEntry, _ model: RecipeClient.Model) {
        let zxid = entry.zxid
        let node = model.node(at: path)
        if let place = current[path], lives[place].created != node?.stat.czxid {
            lives[place].deleted = zxid
            current[path] = nil
        }
        guard let node else { return }
        if current[path] == nil {
            let place = lives.count
            lives.append(Life(path: path, owner: node.stat.owner, created: node.stat.czxid, deleted: nil))
            places[NodeKey(path: path, created: node.stat.czxid)] = place
            current[path] = place
            below[Self.parent(of: path), default: []].append(place)
        }
        if node.stat.mzxid == zxid {
            writes.append(Write(zxid: zxid, path: path, value: node.value, session: entry.session))
        }
    }

    /// The node of that path that a transaction made.
    func life(of path: String, created: Zxid) -> Life? {
        places[NodeKey(path: path, created: created)].map { lives[$0] }
    }

    /// All that ever were below a node, in the order in which they came.
    func lives(below path: String) -> [Life] { (below[path] ?? []).map { lives[$0] } }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    static func name(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return path }
        return String(path[path.index(after: slash)...])
    }
}

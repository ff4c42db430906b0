import ConclaveCore
import ConclaveWire

/// `getData`, over 64 nodes.
struct GetWorkload: Workload {
    static let name = "get"
    let connections: Int
    let depth: Int
    let bytes: Int
    private var frames: [[UInt8]] = []
    private var turn = 0

    init(connections: Int, depth: Int, bytes: Int = 100) {
        self.connections = connections
        self.depth = depth
        self.bytes = bytes
    }

    mutating func prepare(_ lane: Lane) throws {
        frames = try LoadTree.nodes("get-\(bytes)", 64, lane, bytes: bytes).map { Frames.make(Frames.get($0)) }
    }

    mutating func send(on lane: Lane, at now: Int64) {
        lane.queue(frames[turn & 63], at: now)
        turn &+= 1
    }

    /// Header, length of the data, data, Stat.
    private var replyBytes: Int { 16 + 4 + bytes + 68 }

    mutating func received(_ payload: UnsafeRawBufferPointer, on lane: Lane) throws(LoadError) -> Bool {
        guard ReplyFields(payload).error == 0, payload.count == replyBytes else {
            throw LoadError("get: error \(ReplyFields(payload).error), \(payload.count) bytes")
        }
        return true
    }
}

/// `setData`, over 64 nodes.
struct SetWorkload: Workload {
    static let name = "set"
    let connections: Int
    let depth: Int
    let bytes: Int
    private var frames: [[UInt8]] = []
    private var turn = 0

    init(connections: Int, depth: Int, bytes: Int = 100) {
        self.connections = connections
        self.depth = depth
        self.bytes = bytes
    }

    mutating func prepare(_ lane: Lane) throws {
        frames = try LoadTree.nodes("set", 64, lane).map { Frames.make(Frames.set($0, Frames.value(bytes))) }
    }

    mutating func send(on lane: Lane, at now: Int64) {
        lane.queue(frames[turn & 63], at: now)
        turn &+= 1
    }
}

/// `create` of persistent nodes with 100 bytes, each with a name of its own.
struct CreateWorkload: Workload {
    static let name = "create"
    let connections: Int
    let depth: Int
    private var maker = NodeMaker(prefix: "", data: [])

    init(connections: Int, depth: Int) {
        self.connections = connections
        self.depth = depth
    }

    mutating func prepare(_ lane: Lane) throws {
        try LoadTree.ensure(LoadTree.root, lane)
        // A folder of its own for every run, so that no name is taken.
        let (error, body) = try lane.call(Frames.create("\(LoadTree.root)/create-", [], .persistentSequential))
        guard error == 0 else { throw LoadError("create: error \(error)") }
        var reader = ByteReader(body)
        guard let folder = try reader.readString() else { throw LoadError("create: an answer without a path") }
        maker = NodeMaker(prefix: folder + "/", data: Frames.value())
    }

    mutating func send(on lane: Lane, at now: Int64) {
        lane.queue(at: now) { maker.append(to: &$0) }
    }
}

/// Makes frames that create nodes named by nine digits that count up, without encoding each anew.
struct NodeMaker {
    private static let digits = 9
    private var frame: [UInt8]
    private let digitsEnd: Int
    private(set) var number = 0

    init(prefix: String, data: [UInt8]) {
        let placeholder = String(repeating: "0", count: Self.digits)
        frame = Frames.make(Frames.create(prefix + placeholder, data))
        // Length, header, length of the path, path.
        digitsEnd = 4 + 8 + 4 + prefix.utf8.count + Self.digits
    }

    mutating func append(to output: inout [UInt8]) {
        var rest = number
        var position = digitsEnd
        for _ in 0..<Self.digits {
            position -= 1
            frame[position] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        number += 1
        output.append(contentsOf: frame)
    }
}

/// Reads and writes of 100 bytes, over 64 nodes, in a fixed pattern.
struct MixedWorkload: Workload {
    static let name = "mixed"
    let connections: Int
    let depth: Int
    let readPercent: Int
    private var reads: [[UInt8]] = []
    private var writes: [[UInt8]] = []
    private var turn = 0

    init(connections: Int, depth: Int, readPercent: Int) {
        self.connections = connections
        self.depth = depth
        self.readPercent = readPercent
    }

    mutating func prepare(_ lane: Lane) throws {
        let paths = try LoadTree.nodes("mixed", 64, lane)
        reads = paths.map { Frames.make(Frames.get($0)) }
        writes = paths.map { Frames.make(Frames.set($0, Frames.value())) }
    }

    mutating func send(on lane: Lane, at now: Int64) {
        // 37 and 100 have no common divisor: the writes are spread evenly.
        let isRead = (turn &* 37) % 100 < readPercent
        lane.queue(isRead ? reads[turn & 63] : writes[turn & 63], at: now)
        turn &+= 1
    }
}

/// Ephemeral sequential nodes, each deleted as soon as it is there; create and delete count as one operation each.
struct EphemeralWorkload: Workload {
    static let name = "ephemeral"
    let connections: Int
    let depth: Int
    private var create: [UInt8] = []
    /// Per lane: paths that are to be deleted.
    private var made: [[[UInt8]]]

    init(connections: Int, depth: Int) {
        self.connections = connections
        self.depth = depth
        made = Array(repeating: [], count: connections)
    }

    mutating func prepare(_ lane: Lane) throws {
        try LoadTree.ensure(LoadTree.root, lane)
        try LoadTree.ensure("\(LoadTree.root)/ephemeral", lane)
        create = Frames.make(Frames.create("\(LoadTree.root)/ephemeral/e-", Frames.value(), .ephemeralSequential))
    }

    mutating func send(on lane: Lane, at now: Int64) {
        guard let path = made[lane.index].popLast() else {
            lane.queue(create, at: now)
            return
        }
        lane.queue(at: now) { output in
            var writer = ByteWriter(capacity: 64)
            writer.writeRequestFrame(xid: 0, .delete(path: NodePath(utf8: path), version: -1))
            output.append(contentsOf: writer.bytes)
        }
    }

    mutating func received(_ payload: UnsafeRawBufferPointer, on lane: Lane) throws(LoadError) -> Bool {
        let header = ReplyFields(payload)
        guard header.error == 0 else { throw LoadError("ephemeral: error \(header.error)") }
        // The reply to a create carries a path, that to a delete nothing.
        if payload.count > 20 { made[lane.index].append(Array(payload[20...])) }
        return true
    }
}

/// `getChildren2` of a node with 1,000 children.
struct ChildrenWorkload: Workload {
    static let name = "children"
    let connections: Int
    let depth: Int
    private var frame: [UInt8] = []

    init(connections: Int, depth: Int) {
        self.connections = connections
        self.depth = depth
    }

    mutating func prepare(_ lane: Lane) throws {
        _ = try LoadTree.nodes("children", 1000, lane)
        frame = Frames.make(.getChildren2(path: NodePath("\(LoadTree.root)/children"), watch: false))
    }

    mutating func send(on lane: Lane, at now: Int64) { lane.queue(frame, at: now) }

    mutating func received(_ payload: UnsafeRawBufferPointer, on lane: Lane) throws(LoadError) -> Bool {
        // Every name has at least a length and two characters; the Stat follows.
        guard ReplyFields(payload).error == 0, payload.count > 16 + 4 + 1000 * 6 + 68 else {
            throw LoadError("children: error \(ReplyFields(payload).error), \(payload.count) bytes")
        }
        return true
    }
}

/// `multi` of ten `setData` of 100 bytes.
struct MultiWorkload: Workload {
    static let name = "multi"
    let connections: Int
    let depth: Int
    private var frames: [[UInt8]] = []
    private var turn = 0

    init(connections: Int, depth: Int) {
        self.connections = connections
        self.depth = depth
    }

    mutating func prepare(_ lane: Lane) throws {
        let paths = try LoadTree.nodes("multi", 160, lane)
        frames = (0..<16).map { number in
            Frames.make(.multi(paths[(number * 10)..<(number * 10 + 10)].map { Frames.set($0, Frames.value()) }))
        }
    }

    mutating func send(on lane: Lane, at now: Int64) {
        lane.queue(frames[turn & 15], at: now)
        turn &+= 1
    }
}

/// `exists`, over 64 nodes.
struct ExistsWorkload: Workload {
    static let name = "exists"
    let connections: Int
    let depth: Int
    private var frames: [[UInt8]] = []
    private var turn = 0

    init(connections: Int, depth: Int) {
        self.connections = connections
        self.depth = depth
    }

    mutating func prepare(_ lane: Lane) throws {
        frames = try LoadTree.nodes("exists", 64, lane).map {
            Frames.make(.exists(path: NodePath($0), watch: false))
        }
    }

    mutating func send(on lane: Lane, at now: Int64) {
        lane.queue(frames[turn & 63], at: now)
        turn &+= 1
    }
}

/// Pings, which are all that idle sessions send.
struct PingWorkload: Workload {
    static let name = "ping"
    let connections: Int
    let depth = 1
    private let frame = Frames.ping

    init(connections: Int) { self.connections = connections }

    func prepare(_ lane: Lane) {}

    mutating func send(on lane: Lane, at now: Int64) { lane.queueAsIs(frame, at: now) }
}

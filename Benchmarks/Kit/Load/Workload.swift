import ConclaveCore
import ConclaveWire

/// What a measurement sends. The engine keeps `depth` requests in flight on each of `connections` lanes.
protocol Workload: Sendable {
    /// Name on the command line and in results.
    static var name: String { get }
    var connections: Int { get }
    var depth: Int { get }
    /// Makes the nodes it needs; runs before the clock, on a lane of its own.
    mutating func prepare(_ lane: Lane) throws
    /// Queues the next request of a lane, exactly one.
    mutating func send(on lane: Lane, at now: Int64)
    /// A reply came. Returns whether it counts as one operation; throws if the operation failed.
    mutating func received(_ payload: UnsafeRawBufferPointer, on lane: Lane) throws(LoadError) -> Bool
}

extension Workload {
    mutating func received(_ payload: UnsafeRawBufferPointer, on lane: Lane) throws(LoadError) -> Bool {
        let header = ReplyFields(payload)
        guard header.error == 0 else { throw LoadError("\(Self.name): error \(header.error)") }
        return true
    }
}

/// The nodes under which workloads work.
enum LoadTree {
    static let root = "/conclave-load"

    static func ensure(_ path: String, _ lane: Lane, data: [UInt8] = []) throws {
        let (error, _) = try lane.call(Frames.create(path, data))
        guard error == 0 || error == -110 else { throw LoadError("create \(path): error \(error)") }
    }

    /// The root, and `count` nodes below `name`; returns their paths.
    static func nodes(_ name: String, _ count: Int, _ lane: Lane, bytes: Int = 100) throws -> [String] {
        try ensure(root, lane)
        try ensure("\(root)/\(name)", lane)
        return try (0..<count).map { number in
            let path = "\(root)/\(name)/n\(number)"
            try ensure(path, lane, data: Frames.value(bytes))
            return path
        }
    }
}

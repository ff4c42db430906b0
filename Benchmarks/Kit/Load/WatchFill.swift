import ConclaveCore
import ConclaveWire

/// Watches, many to a session, each on a path of its own; the sessions live as long as this value.
package final class WatchFill {
    private static let inFlight = 500
    /// So many of the paths are nodes; the others can be watched as well.
    private static let nodes = 1_000
    private let engine: Engine
    private let perSession: Int
    private var sessions: [Lane] = []

    package init(engine: Engine, perSession: Int) {
        self.engine = engine
        self.perSession = perSession
    }

    package func run(_ count: Int) throws {
        let paths = try LoadTree.nodes("watched", Self.nodes, try Lane(index: 0, to: engine.address))
        var left = count
        while left > 0 {
            let lane = try Lane(index: sessions.count, to: engine.address)
            sessions.append(lane)
            let wanted = min(perSession, left)
            for start in stride(from: 0, to: wanted, by: Self.inFlight) {
                let frames = (start..<min(start + Self.inFlight, wanted)).map { number in
                    let path = number < paths.count ? paths[number] : "\(LoadTree.root)/watched/m\(number)"
                    return Frames.make(.exists(path: NodePath(path), watch: true))
                }
                let errors = try lane.call(frames)
                // No node is an answer as well, and leaves a watch.
                if let error = errors.first(where: { $0 != 0 && $0 != -101 }) {
                    throw LoadError("a watch was refused with error \(error)")
                }
            }
            left -= wanted
        }
    }
}

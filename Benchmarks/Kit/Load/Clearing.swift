import ConclaveCore
import ConclaveSystem
import ConclaveWire

/// Removes what load has left at a server that goes on afterwards.
package struct Clearing {
    private static let inFlight = 512
    private let lane: Lane

    package init(_ address: SocketAddress) throws { lane = try Lane(index: 0, to: address) }

    /// Everything that the raw loads make.
    package func clearLoads() throws { try remove(LoadTree.root) }

    /// Children of the root whose names begin so, with everything below them.
    package func clear(prefix: String) throws {
        for name in try children("/") where name.hasPrefix(prefix) { try remove("/" + name) }
    }

    /// A node with everything below it, many deletes in flight. That a node is gone already is no error.
    package func remove(_ path: String) throws {
        let names = try children(path)
        var left = names[...]
        while !left.isEmpty {
            let some = left.prefix(Self.inFlight)
            left = left.dropFirst(Self.inFlight)
            let frames = some.map { name in
                Frames.make(.delete(path: NodePath("\(path)/\(name)"), version: -1))
            }
            // Those with children of their own are refused, and emptied first.
            for (name, error) in zip(some, try lane.call(frames)) where error == -111 { try remove("\(path)/\(name)") }
        }
        try lane.call(.delete(path: NodePath(path), version: -1))
    }

    private func children(_ path: String) throws -> [String] {
        let (error, body) = try lane.call(.getChildren(path: NodePath(path), watch: false))
        if error == -101 { return [] }
        guard error == 0 else { throw LoadError("children of \(path): error \(error)") }
        var reader = ByteReader(body)
        return try reader.readNames()
    }
}

import ConclaveCore
import ConclaveNode
import ConclaveWire
import Testing

@Suite("Lists of children")
struct ListingTests {
    @Test("Lists that are kept are never out of date", arguments: [0, 600, 8 << 20])
    func kept(limit: Int) throws {
        var options = ServerOptions()
        options.childListCacheBytes = limit
        var server = MachineHarness(options)
        let client = try server.connect().id
        var random = SeededRandom(seed: 7)
        var children: [NodePath: Set<String>] = [:]
        for parent in ["/a", "/b", "/c"] as [NodePath] {
            _ = try server.perform(.create(parent), on: client)
            children[parent] = []
        }
        for step in 0..<3_000 {
            let parent = (["/a", "/b", "/c"] as [NodePath])[Int.random(in: 0..<3, using: &random)]
            let name = "n\(Int.random(in: 0..<60, using: &random))"
            let path = NodePath("\(parent)/\(name)")
            switch Int.random(in: 0..<8, using: &random) {
            case 0...2:
                let isNew = children[parent, default: []].insert(name).inserted
                let reply = try server.perform(.create(path), on: client)
                #expect(reply.header.error == (isNew ? .ok : .nodeExists))
            case 3:
                let was = children[parent, default: []].remove(name) != nil
                let reply = try server.perform(.delete(path: path, version: -1), on: client)
                #expect(reply.header.error == (was ? .ok : .noNode))
            case 4 where children[parent]?.contains(name) == true:
                // The same set of names, but another node.
                _ = try server.perform(.multi([.delete(path: path, version: -1), .create(path)]), on: client)
            case 5 where step % 50 == 0:
                // A new parent, maybe with the number of the old one.
                let names = children[parent, default: []].sorted()
                let all = names.map { NodePath("\(parent)/\($0)") }
                _ = try server.perform(
                    .multi(all.map { .delete(path: $0, version: -1) } + [.delete(path: parent, version: -1)]),
                    on: client)
                _ = try server.perform(.create(parent), on: client)
                children[parent] = []
            default: break
            }
            let reply = try server.perform(.getChildren2(path: parent, watch: false), on: client)
            guard case .children(let found, _) = reply.body else { throw MachineHarness.HarnessError.noReply }
            #expect(found.count == children[parent]?.count && Set(found) == children[parent])
        }
    }

    @Test("A short multiRead cannot ask for more than one connection may hold, however often it names a long list")
    func amplification() throws {
        var options = ServerOptions()
        options.outputLimitBytes = 10_000
        var server = MachineHarness(options)
        let client = try server.connect().id
        _ = try server.perform(.create("/a", [UInt8](repeating: 1, count: 4_000)), on: client)
        let read = ClientRequest.getData(path: "/a", watch: false)
        let some = try server.perform(.multiRead([read, read, read]), on: client)
        #expect(some.header.error == .ok)
        let more = try server.perform(.multiRead([read, read, read, read]), on: client)
        #expect(more.header.error == .marshallingError)
    }
}

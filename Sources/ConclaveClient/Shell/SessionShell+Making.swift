import ConclaveCore
import ConclaveSession
import ConclaveWire

extension SessionShell {
    enum Making {
        case there
        case noParent
        case failed(ZooKeeperError)
    }

    /// Makes a persistent node, or finds that it exists. The path is the server's.
    func makeOrFind(_ path: NodePath, _ acl: [ACL], asked: String) async -> Making {
        if path == .root { return .there }
        let request = CreateRequest(path: path, data: [], acl: acl, mode: .persistent, wantsStat: false)
        let outcome = await outcome(of: .create(request), "ensurePath", asked)
        switch outcome {
        case .reply, .refused(.nodeExists): return .there
        case .refused(.noNode): return .noParent
        case .refused, .failed: break
        }
        do throws(ZooKeeperError) {
            _ = try body(outcome, "ensurePath", asked)
            return .there
        } catch {
            // Who may not make a node may still find it there.
            guard error.code == .noAuth else { return .failed(error) }
            let found = await self.outcome(of: .exists(path: path, watch: false), "ensurePath", asked)
            if case .reply = found { return .there }
            return .failed(error)
        }
    }
}

import ConclaveClient
import ConclaveCore

/// Makes one look at a node, and arms one-shot watches where those are what notices changes.
struct CacheReader: Sendable {
    /// What a look has brought.
    struct Answer: Sendable {
        var finding: MirrorMachine.Finding
        var armed: [(key: CacheInbox.WatchKey, watch: Watch)] = []
    }

    let client: ZooKeeperClient
    /// Knows which watches are armed; `nil` where a persistent watch notices everything.
    let inbox: CacheInbox?
    let root: String

    func read(_ look: MirrorMachine.Look) async throws(ZooKeeperError) -> Answer {
        var answer = Answer(finding: .missing)
        do throws(ZooKeeperError) {
            while true {
                guard let data = try await data(at: look.path, &answer) else {
                    // Only the root is waited for; the listing of its parent tells of every other node.
                    guard inbox != nil, look.path == root, try await !armExistence(&answer) else { return answer }
                    continue
                }
                let children = look.listsChildren ? try await children(of: look.path, &answer) : nil
                answer.finding = .found(data, children: children)
                return answer
            }
        } catch let error where error.code == .noNode {
            answer.finding = .missing
            return answer
        } catch let error where error.code == .noAuth && look.path != root {
            // What must not be read is not there for this client.
            answer.finding = .missing
            return answer
        }
    }

    private func data(at path: String, _ answer: inout Answer) async throws(ZooKeeperError) -> NodeData? {
        let key = CacheInbox.WatchKey(path: path, isForChildren: false)
        do throws(ZooKeeperError) {
            guard let inbox, inbox.arm(key) else { return try await client.data(at: path) }
            do throws(ZooKeeperError) {
                let (node, watch) = try await client.watchData(at: path)
                answer.armed.append((key, watch))
                return node
            } catch {
                inbox.disarm(key)
                throw error
            }
        } catch let error where error.code == .noNode {
            return nil
        }
    }

    private func children(of path: String, _ answer: inout Answer) async throws(ZooKeeperError) -> [String] {
        let key = CacheInbox.WatchKey(path: path, isForChildren: true)
        guard let inbox, inbox.arm(key) else { return try await client.children(of: path).names }
        do throws(ZooKeeperError) {
            let (children, watch) = try await client.watchChildren(of: path)
            answer.armed.append((key, watch))
            return children.names
        } catch {
            inbox.disarm(key)
            throw error
        }
    }

    /// - Returns: whether the node does still not exist, and its creation will be seen.
    private func armExistence(_ answer: inout Answer) async throws(ZooKeeperError) -> Bool {
        let key = CacheInbox.WatchKey(path: root, isForChildren: false)
        guard let inbox, inbox.arm(key) else { return true }
        do throws(ZooKeeperError) {
            let (stat, watch) = try await client.watchExists(root)
            // A watch on a node that exists again sees its next change as well.
            answer.armed.append((key, watch))
            return stat == nil
        } catch {
            inbox.disarm(key)
            throw error
        }
    }
}

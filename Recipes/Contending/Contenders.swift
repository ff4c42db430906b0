public import ConclaveClient
public import ConclaveCore
import Synchronization

/// Those who contend for one thing through sequential nodes below one path; all lock-like recipes are made from it.
///
/// Every child whose name ends in a sequence number is a contender, whatever stands before it, so clients of Curator
/// and kazoo count. The value itself only looks on; ``DistributedLock``, ``ReadWriteLock`` and ``MasterElection``
/// compete.
public struct Contenders: Sendable {
    let client: ZooKeeperClient
    let path: String
    let identity: [UInt8]
    let acl: [ACL]
    let cleaner: Cleaner

    /// The most contenders that ``list(limit:)`` returns unless told otherwise.
    public static let defaultListLimit = 1_000

    /// Looks at the contenders below `path`.
    public init(_ client: ZooKeeperClient, at path: String) {
        self.init(client, at: path, identity: "", acl: .open)
    }

    init(_ client: ZooKeeperClient, at path: String, identity: String, acl: [ACL]) {
        self.client = client
        self.path = path
        self.identity = Array(identity.utf8)
        self.acl = acl
        cleaner = Cleaner(client)
    }

    /// Who holds and who waits, in the order in which they will hold; empty if the path does not exist.
    ///
    /// A picture of the past: any of them may have gone when it arrives, and those that went while it was taken are
    /// missing from it.
    ///
    /// - Parameter limit: how many to read, from the front of the queue.
    /// - Cost: one request for the names and one for each hundred contenders.
    public func list(limit: Int = Self.defaultListLimit) async throws(ZooKeeperError) -> [Contender] {
        let children: [String]
        do {
            children = try await client.children(of: path).names
        } catch let error where error.code == .noNode {
            return []
        }
        let names = children.compactMap(ContenderName.init).sorted()
        let isHolder = Self.holders(among: names)
        var contenders: [Contender] = []
        var start = 0
        let end = min(names.count, max(0, limit))
        while start < end {
            let chunk = start..<min(start + 100, end)
            start = chunk.upperBound
            let answers = try await client.read(chunk.map { .data(node(names[$0].text)) })
            for (position, answer) in zip(chunk, answers) {
                guard case .data(let node) = answer else { continue }
                contenders.append(
                    Contender(
                        identity: String(decoding: node.bytes, as: UTF8.self), position: position,
                        isShared: names[position].isShared, isHolder: isHolder[position],
                        sinceMilliseconds: node.stat.ctime, session: node.stat.ephemeralOwner,
                        token: FencingToken(node.stat.czxid), path: self.node(names[position].text)))
            }
        }
        return contenders
    }

    /// Asks a holder to give up what it holds; whether and when it does is its own affair.
    ///
    /// Its grant's ``LockGrant/revocationRequested()`` returns, as does the listener of Curator's `makeRevocable`. The
    /// request takes the place of the identity in the lists. Of a first-come lock whoever holds is asked.
    ///
    /// - Returns: `false` if its node has gone.
    /// - Cost: one request.
    @discardableResult
    public func requestRevocation(of contender: Contender) async throws(ZooKeeperError) -> Bool {
        try await Revocation.request(contender.path, with: client)
    }

    /// The first holds; a shared one also if only shared ones are before it.
    static func holders(among names: [ContenderName]) -> [Bool] {
        var onlySharedBefore = true
        return names.enumerated().map { position, name in
            let holds = position == 0 || name.isShared && onlySharedBefore
            if !name.isShared { onlySharedBefore = false }
            return holds
        }
    }

    func node(_ name: String) -> String { path == "/" ? "/" + name : path + "/" + name }
}

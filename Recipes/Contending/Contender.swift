public import ConclaveCore

/// One of those who hold or wait, as its node tells.
public struct Contender: Hashable, Sendable {
    /// What it says of itself: the text in its node's data, empty if it gave none.
    public let identity: String
    /// Its place among all contenders: 0 is the first. Readers behind other readers hold at places above 0.
    public let position: Int
    /// Whether it shares with others of its kind (a reader).
    public let isShared: Bool
    /// Whether it holds now: nobody it must wait for is before it.
    public let isHolder: Bool
    /// Since when it has been in the queue: milliseconds since 1970, by the leader's clock.
    public let sinceMilliseconds: Int64
    /// The session that its node belongs to.
    public let session: SessionID
    /// The fencing token of its hold, when it holds or once it will.
    public let token: FencingToken
    /// The path of its node.
    public let path: String

    /// Whether it has been asked to give up what it holds; the request stands where its identity was.
    public var isAskedToGiveUp: Bool { identity.utf8.elementsEqual(Revocation.message) }
}

extension Contender {
    /// As an entry of a semaphore, where the place in the folder does not say who holds.
    func asLease(holds: Bool, position: Int) -> Contender {
        Contender(
            identity: identity, position: position, isShared: true, isHolder: holds,
            sinceMilliseconds: sinceMilliseconds, session: session, token: token, path: path)
    }
}

public import ConclaveClient
public import ConclaveCore

/// What proves a hold to other processes, which can check it themselves: Chubby's sequencer.
///
/// A holder sends ``description`` along with its requests; the receiver asks the ensemble whether the hold lasts
/// (``isValid(using:)``), or makes its own writes to the ensemble depend on it (``checks(using:)``). A receiver that
/// only compares tokens needs no ensemble: see ``FenceGuard``.
///
/// - **Shape**: `<mode> <token> <version or -> <path of the node>`, such as
///   `exclusive 4294967301 - /shop/locks/orders/_c_…-lock-0000000007`; the path counts from the ensemble's root, so the
///   two clients may have different chroots. Codable as this text.
public struct Sequencer: Hashable, Sendable {
    /// The path of the holder's node, from the ensemble's root.
    public let node: String
    /// The hold's fencing token.
    public let token: FencingToken
    /// How it is held.
    public let mode: LockGrant.Mode
    /// The version of the parent under which the node stands for this hold, where one name serves all holds.
    let parentVersion: Int32?

    init(node: String, token: FencingToken, mode: LockGrant.Mode, parentVersion: Int32?) {
        self.node = node
        self.token = token
        self.mode = mode
        self.parentVersion = parentVersion
    }

    /// The path of the lock, from the ensemble's root.
    public var path: String { NodePath(node).parent?.text ?? "/" }

    /// Whether the hold lasts: its node exists, as far as the leader knew when it was asked.
    ///
    /// An answer is old as soon as it is given; exact are ``checks(using:)`` and comparing tokens.
    ///
    /// - Throws: `badArguments` if the client's chroot does not contain the node; else what the requests throw.
    /// - Cost: 2 requests.
    public func isValid(using client: ZooKeeperClient) async throws(ZooKeeperError) -> Bool {
        let path = try path(for: client)
        try await client.sync(path)
        guard let stat = try await client.exists(path) else { return false }
        return parentVersion == nil || FencingToken(stat.czxid) == token
    }

    /// Operations that let a transaction take effect only while the hold lasts: put them before those that depend on
    /// it.
    ///
    /// A transaction refused by them throws `noNode` or `badVersion` with the path of the lock or of its node.
    public func checks(using client: ZooKeeperClient) throws(ZooKeeperError) -> [Operation] {
        let path = try path(for: client)
        guard let parentVersion, let parent = NodePath(path).parent else { return [.check(path)] }
        return [.check(path), .check(parent.text, version: parentVersion)]
    }

    private func path(for client: ZooKeeperClient) throws(ZooKeeperError) -> String {
        let chroot = client.chroot
        if chroot.isEmpty || chroot == "/" { return node }
        guard node.hasPrefix(chroot + "/") else {
            throw ZooKeeperError(.badArguments, path: node, message: "the node is outside of the client's chroot")
        }
        return String(node.dropFirst(chroot.count))
    }
}

extension Sequencer: LosslessStringConvertible {
    /// Reads what ``description`` writes.
    public init?(_ description: String) {
        let words = description.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
        guard words.count == 4, let token = FencingToken(String(words[1])), words[3].hasPrefix("/") else { return nil }
        switch words[0] {
        case "exclusive": mode = .exclusive
        case "shared": mode = .shared
        default: return nil
        }
        if words[2] == "-" {
            parentVersion = nil
        } else {
            guard let version = Int32(words[2]) else { return nil }
            parentVersion = version
        }
        self.token = token
        node = String(words[3])
    }

    /// The text to send along.
    public var description: String {
        let version = parentVersion.map { String($0) } ?? "-"
        return "\(mode == .exclusive ? "exclusive" : "shared") \(token) \(version) \(node)"
    }
}

extension Sequencer: Codable {
    /// Reads the text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let sequencer = Sequencer(text) else {
            throw Swift.DecodingError.dataCorruptedError(in: container, debugDescription: "no sequencer")
        }
        self = sequencer
    }

    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Hold {
    /// One for each node.
    var sequencers: [Sequencer] {
        let version: Int32? = if case .underVersion(let version) = removal { version } else { nil }
        let chroot = client.chroot == "/" ? "" : client.chroot
        return nodes.map { node in
            Sequencer(
                node: chroot + node.path, token: token, mode: shares(node) ? .shared : .exclusive,
                parentVersion: version)
        }
    }
}

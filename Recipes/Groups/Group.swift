public import ConclaveClient
public import ConclaveCore

/// Who takes part: a group whose members come and go with their sessions.
///
/// ```swift
/// let workers = Group(client, at: "/groups/workers")
/// try await workers.withMembership(as: "host-7", payload: Array("10.0.0.7:9000".utf8)) { _ in try await serve() }
///
/// for try await change in workers.changes { balance(over: change.members) }
/// ```
///
/// - **Guarantee**: a name is a member's once at a time, whatever the number of sessions that want it. Followers see
///   every member that stays, in the end; who comes and goes between two looks is not reported, and who left and joined
///   anew is reported as both.
/// - **Layout**: `path/<name>`, ephemeral, the payload as data: that of Curator's `GroupMember`. With
///   ``Naming/party`` that of kazoo's `Party`: `path/<32 hex digits>__party__`, the name as data.
/// - **Cancellation and deadline** end an attempt to join at once; a node that was made is removed in the background.
/// - **Session loss**: the node goes, the membership is lost: its body is cancelled and ``withMembership`` throws
///   `holdLost`. A new session is a new client, and joins anew; if it is quicker than the expiry of the old one it waits
///   until the old node has gone. A lost connection alone ends nothing.
/// - **Cost**: 1 request to join and 1 to keep an eye on the own node, 3 to leave. A follower is told once of each
///   change and pays 1 request for a changed payload, 2 for a member that joins, 1 for one that leaves; bursts share
///   the listing.
/// - **Source**: ZooKeeper's recipe for group membership; Curator's and kazoo's layouts.
public struct Group: Sendable {
    /// How the nodes of members are named.
    public enum Naming: Hashable, Sendable {
        /// By the member: one node of that name, the payload as data. Curator's way.
        case member
        /// At random, with the member's name as data and no payload: kazoo's way, for groups that kazoo's `Party` reads.
        /// Two members may have the same name then.
        case party
    }

    let client: ZooKeeperClient
    let path: String
    let naming: Naming
    let acl: [ACL]
    let cleaner: Cleaner

    /// What kazoo's `Party` puts behind the random part of a name, and by which it tells its nodes from others.
    static let partyMark = "__party__"

    /// A group at a path, which is made when it is first joined.
    ///
    /// - Parameters:
    ///   - client: the session that joins and follows.
    ///   - path: the node below which members are; for nothing else.
    ///   - naming: how the nodes that this value makes are named. It reads those of either kind.
    ///   - acl: the access control list of the nodes that this value creates.
    public init(_ client: ZooKeeperClient, at path: String, naming: Naming = .member, acl: [ACL] = .open) {
        self.client = client
        self.path = path
        self.naming = naming
        self.acl = acl
        cleaner = Cleaner(client)
    }

    // MARK: - Joining

    /// Joins, runs the body, leaves.
    ///
    /// The body runs in a child task that is cancelled when the membership is lost or the caller is cancelled; the call
    /// returns only when the body has ended.
    ///
    /// - Parameters:
    ///   - name: the member's name: a node's name, so without `/`.
    ///   - payload: what others see of it.
    ///   - timeout: how long to wait for another session of the same name to go; `nil` waits for ever, zero not at all.
    ///   - interval: how often to beat meanwhile; see ``Membership/beat()``. Such a beat tells that the process runs
    ///     and reaches the servers; only a beat from the work itself tells that the work goes on.
    /// - Throws: what the body throws; `holdLost` if the membership ended first, with the body's error as its cause;
    ///   else as ``join(as:payload:timeout:)``.
    public func withMembership<R: Sendable>(
        as name: String, payload: [UInt8] = [], timeout: Duration? = nil, beatingEvery interval: Duration? = nil,
        _ body: @escaping @Sendable (Membership) async throws -> R
    ) async throws -> R {
        let membership = try await join(as: name, payload: payload, timeout: timeout)
        let result = await Scope.run {
            try await body(membership)
        } until: { () async throws(CancellationError) in
            try await membership.lost() != nil
        } beside: {
            guard let interval else { return }
            while (try? await Task.sleep(for: interval, clock: .continuous)) != nil {
                // A beat that does not get through is a beat less, which is what it tells.
                try? await membership.beat()
            }
        }
        await membership.leave()
        guard membership.loss == nil else {
            var cause: (any Error)?
            if case .failure(let error) = result, !(error is CancellationError) { cause = error }
            throw membership.keeper.lostError(underlying: cause)
        }
        return try result.get()
    }

    /// Joins; the membership lasts until it is left, lost or dropped.
    ///
    /// - Throws: `nodeExists` if this client is a member of that name already, or with a `timeout` of zero another one
    ///   is; `deadlineExceeded`, `cancelled`; `badArguments` for a name that no node can have.
    public func join(
        as name: String, payload: [UInt8] = [], timeout: Duration? = nil
    ) async throws(ZooKeeperError) -> Membership {
        try await join(as: name, payload: payload, timeout: timeout, leftovers: .respect)
    }

    func join(
        as name: String, payload: [UInt8], timeout: Duration?, leftovers: JoinMachine.Leftovers
    ) async throws(ZooKeeperError) -> Membership {
        let (node, data) = try nodeName(of: name, payload: payload)
        let patience: AttemptPatience = if let timeout, timeout <= .zero { .once } else { .wait }
        let keeper = MembershipKeeper(
            client: client, cleaner: cleaner, parent: path, name: node, acl: acl, payload: data)
        guard MembershipRegistry.shared.insert(keeper.path, of: client) else {
            throw ZooKeeperError(
                .nodeExists, path: keeper.path, message: "this client is a member under that name already")
        }
        let deadline = patience == .once ? Deadline.never : Deadline(after: timeout)
        do {
            let made = try await deadline.limit { [self] (expiry: Expiry) async throws(ZooKeeperError) -> Zxid in
                let machine = JoinMachine(
                    parent: path, name: node, data: data, acl: acl, session: client.sessionID, patience: patience,
                    leftovers: leftovers, after: client.lastZxidSeen)
                var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
                return try await runner.run(expiry: expiry)
            }
            keeper.begin(made)
            return Membership(keeper)
        } catch {
            MembershipRegistry.shared.remove(keeper.path, of: client)
            throw error
        }
    }

    private func nodeName(of name: String, payload: [UInt8]) throws(ZooKeeperError) -> (name: String, data: [UInt8]) {
        switch naming {
        case .member:
            guard !name.isEmpty, !name.contains("/") else {
                throw ZooKeeperError(
                    .badArguments, path: path, message: "a member's name is the name of a node: not empty, without /")
            }
            return (name, payload)
        case .party:
            guard payload.isEmpty else {
                throw ZooKeeperError(.badArguments, path: path, message: "members of a party have no payload")
            }
            var generator = SystemRandomNumberGenerator()
            let random = AttemptID(using: &generator).text.filter { $0 != "-" }
            return (random + Self.partyMark, Array(name.utf8))
        }
    }

    // MARK: - Looking on

    /// Who is a member now, sorted by name; empty if the path does not exist.
    ///
    /// A picture of the past: any of them may have gone when it arrives.
    ///
    /// - Cost: one request for the names and one for each hundred members.
    public func members() async throws(ZooKeeperError) -> [GroupMember] {
        let names: [String]
        do {
            names = try await client.children(of: path).names
        } catch let error where error.code == .noNode {
            return []
        }
        let nodes = try await client.dataOfMany(names.map { NodePath.text(of: $0, below: path) })
        return zip(names, nodes).compactMap { name, node in node.map { GroupMember(name: name, node: $0) } }
    }

    /// Returns when every node given up so far has been removed, or the session is over.
    package func waitUntilClean() async { await cleaner.waitUntilIdle() }
}

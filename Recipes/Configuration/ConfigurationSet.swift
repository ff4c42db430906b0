public import ConclaveClient
public import ConclaveCore

/// Several values that are switched at once: every reader sees all of one version.
///
/// ```swift
/// let routing = ConfigurationSet(client, at: "/config/routing")
/// try await routing.update { draft in
///     try draft.set("primary", to: "db-2")
///     try draft.set("weights", to: Weights(db1: 0, db2: 100))
/// }
/// for try await snapshot in routing.updates { apply(try snapshot.value(of: "weights", as: Weights.self)) }
/// ```
///
/// - **Guarantee**: a version is published whole or not at all, and never changes; of two publishers that change the
///   same version one succeeds and the other begins again. A snapshot is of one version.
/// - **Layout**: `<path>/<number in ten digits>/<key>` holds a version, the data of `<path>` names the current one: the
///   pointer. A new version and the switch of the pointer are one transaction.
/// - **Rollback** switches the pointer back: one write, whatever the size.
/// - **Cancellation**: a publication has an unknown outcome. **Lost connections**: readers wait, publishing throws.
/// - **Session loss**: all throw.
/// - **Limits**: a version and its keys are one request: together below the server's frame limit, 1 MiB by default.
/// - **Cost**: 2 requests and 1 for each hundred keys to read; 2 more to publish; old versions are removed in the
///   background.
/// - **Source**: the pointer flip is a common pattern; the versioned transaction makes it safe for several publishers.
public struct ConfigurationSet: Sendable {
    let client: ZooKeeperClient
    let path: String
    private let kept: Int
    private let acl: [ACL]
    private let cleaner: Cleaner

    /// A set of values at a path.
    ///
    /// - Parameters:
    ///   - client: the session that reads and publishes.
    ///   - path: the pointer; for nothing else.
    ///   - kept: how many versions are kept to go back to, the current one included; at least 2, so that who has just
    ///     read the pointer finds what it names.
    ///   - acl: the access control list of the nodes that this creates.
    public init(_ client: ZooKeeperClient, at path: String, keeping kept: Int = 10, acl: [ACL] = .open) {
        self.client = client
        self.path = path
        self.kept = min(max(2, kept), 1_000)
        self.acl = acl
        cleaner = Cleaner(client)
    }

    /// Reads all values of the current version; `nil` if nothing has been published.
    public func current() async throws(ZooKeeperError) -> ConfigurationSnapshot? {
        var runner = StepRunner(SnapshotMachine(at: path), client: client, cleaner: cleaner, path: path, acl: acl)
        return try await runner.run(expiry: Expiry()).map { ConfigurationSnapshot($0) }
    }

    /// Publishes a version made from the current one, again and again until nobody has published in between.
    ///
    /// - Parameter change: sets and removes keys; may run several times.
    /// - Throws: what `change` throws; `badArguments` for a key that cannot be a node's name; what a request threw:
    ///   after `connectionLoss` the outcome is unknown.
    @discardableResult
    public func update(_ change: (inout ConfigurationDraft) throws -> Void) async throws -> ConfigurationSnapshot {
        while true {
            let current = try await current()
            var draft = ConfigurationDraft(values: current?.values ?? [:])
            try change(&draft)
            if let new = try await publish(draft.values, over: current) { return new }
        }
    }

    /// Points back to an earlier version, at once for all keys.
    ///
    /// - Throws: `noNode` if that version is not kept any more.
    /// - Cost: one request.
    public func rollBack(to number: Int) async throws(ZooKeeperError) {
        let version = SnapshotMachine.path(of: number, below: path)
        try await client.transaction([.check(version), .setData(path, Array(NodePath(version).name))])
    }

    /// The numbers of the versions that are kept, the newest first. Cost: one request.
    public func versions() async throws(ZooKeeperError) -> [Int] {
        do throws(ZooKeeperError) {
            let names = try await client.children(of: path).names
            return SwitchMachine.numbers(of: names)
        } catch let error where error.code == .noNode {
            return []
        }
    }

    /// Returns when every version removed so far is gone, or the session is over.
    package func waitUntilClean() async { await cleaner.waitUntilIdle() }

    // MARK: - Publishing

    /// - Returns: `nil` if somebody else has published in between.
    private func publish(
        _ values: [String: [UInt8]], over current: ConfigurationSnapshot?
    ) async throws(ZooKeeperError) -> ConfigurationSnapshot? {
        for key in values.keys where key.isEmpty || key.contains("/") {
            throw ZooKeeperError(.badArguments, path: path, message: "a key is the name of a node")
        }
        let machine = SwitchMachine(
            values, at: path, over: current.map { ($0.number, $0.pointerVersion) }, acl: acl)
        var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
        switch try await runner.run(expiry: Expiry()) {
        case .published(let reading, let known):
            removeOld(known)
            return ConfigurationSnapshot(reading)
        case .beaten: return nil
        }
    }

    private func removeOld(_ known: [Int]) {
        // The new one makes one more than are known.
        for number in known.dropFirst(kept - 1) {
            let (path, acl, cleaner) = (path, acl, cleaner)
            cleaner.start { client throws(ZooKeeperError) in
                try await StepRunner.run(
                    VersionRemoval(of: number, at: path), client: client, cleaner: cleaner, path: path, acl: acl)
            }
        }
    }
}

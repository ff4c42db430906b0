import ConclaveClient
public import ConclaveCore

/// Who has applied which revision: subscribers say so in ephemeral nodes below the value, publishers read and wait.
///
/// ```swift
/// // every subscriber
/// try await limits.follow(as: "host-7") { revision in try apply(revision.value) }
///
/// // the publisher: three canaries first
/// let before = try await limits.current()
/// let new = try await limits.publish(Limits(rate: 100))
/// let answers = try await limits.answers(to: new, from: 3, timeout: .seconds(30))
/// if let before, answers.contains(where: { $0.refusal != nil }) { try await limits.rollBack(to: before.version) }
/// ```
extension Configuration {
    /// Applies each revision as it comes and says so, for as long as the task is not cancelled.
    ///
    /// A revision that the body throws for is said to be refused, with the error as the reason, and the next one is
    /// waited for. What the error says of itself goes to the servers: it should not hold secrets.
    ///
    /// - Parameters:
    ///   - subscriber: a name without slashes, unique among the subscribers; a later one of the same name takes over.
    ///   - apply: takes a revision; the next comes when it has returned.
    /// - Throws: ``ZooKeeperError`` when the session is over, or what acknowledging threw. Returns when cancelled.
    /// - Cost: 1 request for each revision, and 1 to 3 to acknowledge it.
    public func follow(
        as subscriber: String, _ apply: (ConfigurationRevision<Value>) async throws -> Void
    ) async throws(ZooKeeperError) {
        for try await revision in updates {
            var refusal: String?
            do {
                try await apply(revision)
            } catch {
                if Task.isCancelled { return }
                refusal = String(describing: error)
            }
            do throws(ZooKeeperError) {
                try await acknowledge(revision, as: subscriber, refusal: refusal)
            } catch {
                if error.code == .cancelled { return }
                throw error
            }
        }
    }

    /// Says that a revision has been applied, or why not, until the session is over or something else is said.
    ///
    /// Lost connections are waited out.
    ///
    /// - Cost: 1 request the first time, 3 afterwards.
    public func acknowledge(
        _ revision: ConfigurationRevision<Value>, as subscriber: String, refusal: String? = nil
    ) async throws(ZooKeeperError) {
        guard !subscriber.isEmpty, !subscriber.contains("/") else {
            throw ZooKeeperError(.badArguments, path: path, message: "a subscriber's name has no slash")
        }
        let answer = ConfigurationAcknowledgement(
            subscriber: subscriber, version: revision.version, zxid: revision.zxid, refusal: refusal)
        let machine = RegistrationMachine(
            at: NodePath.text(of: subscriber, below: appliedPath), data: answer.bytes, session: client.sessionID,
            acl: acl, isStanding: false)
        var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
        _ = try await runner.run(expiry: Expiry())
    }

    /// What the subscribers that are there have said last, in the order of their names.
    ///
    /// - Cost: one request, and one for each hundred subscribers.
    public func acknowledgements() async throws(ZooKeeperError) -> [ConfigurationAcknowledgement] {
        let names: [String]
        do {
            names = try await client.children(of: appliedPath).names
        } catch let error where error.code == .noNode {
            return []
        }
        let nodes = try await client.dataOfMany(names.map { NodePath.text(of: $0, below: appliedPath) })
        return zip(names, nodes).compactMap { name, node in
            node.flatMap { ConfigurationAcknowledgement(subscriber: name, bytes: $0.bytes) }
        }
    }

    /// Waits until so many subscribers have said something of a revision, or of a newer one.
    ///
    /// - Parameters:
    ///   - count: how many answers to wait for.
    ///   - timeout: how long at most; `nil` waits for ever.
    /// - Returns: the answers that were there, those that refuse included.
    /// - Throws: `deadlineExceeded` with how many answers there were, `cancelled`, `sessionExpired`.
    /// - Cost: as a ``ChildrenCache`` of the subscribers.
    public func answers(
        to revision: ConfigurationRevision<Value>, from count: Int, timeout: Duration? = nil
    ) async throws(ZooKeeperError) -> [ConfigurationAcknowledgement] {
        let cache = ChildrenCache(client, at: appliedPath)
        let path = path
        @Sendable func answers() -> [ConfigurationAcknowledgement] {
            cache.nodes.compactMap { node in
                ConfigurationAcknowledgement(subscriber: String(node.name), bytes: node.bytes)
            }.filter { $0.zxid >= revision.zxid }
        }
        return try await Deadline(after: timeout).limit {
            (expiry: Expiry) async throws(ZooKeeperError) -> [ConfigurationAcknowledgement] in
            for try await _ in cache.changes {
                let answers = answers()
                if answers.count >= count { return answers }
            }
            guard expiry.isSet else { throw ZooKeeperError(.cancelled, path: path) }
            throw ZooKeeperError(
                .deadlineExceeded, path: path, message: "\(answers().count) of \(count) subscribers have answered")
        }
    }

    private var appliedPath: String { NodePath.text(of: "applied", below: path) }
}

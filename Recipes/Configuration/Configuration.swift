public import ConclaveClient
public import ConclaveCore
import Synchronization

/// One value of configuration, kept in one node: published with an expected revision, followed as a sequence.
///
/// ```swift
/// let limits = Configuration<Limits>(client, at: "/config/limits")
/// for try await revision in limits.updates { apply(revision.value) }
/// ```
///
/// - **Guarantee**: a revision is published whole or not at all; of two publishers that expect the same revision one
///   succeeds. Subscribers see revisions in order, the newest at the latest one round trip after the notification;
///   older ones that they were too slow for are skipped and counted.
/// - **Layout**: the value is the node's data; its version is the revision. Where a history is kept, `<path>/history`
///   has a node for each revision, named after its version in ten digits; `<path>/applied` has one for each subscriber
///   that acknowledges.
/// - **Cancellation**: an update sequence ends. A cancelled publish has an unknown outcome.
/// - **Session loss**: update sequences throw `sessionExpired`. While disconnected ``lastKnownGood`` stays.
/// - **Cost**: 1 request to read or publish, 3 to publish with history; 1 for each revision delivered to a subscriber.
/// - **Source**: ZooKeeper's watches; the version arithmetic is that of its `Stat`.
public final class Configuration<Value: ConfigurationValue>: Sendable {
    /// What must be there for a publication to succeed.
    public enum Expectation: Hashable, Sendable {
        /// Anything, or nothing.
        case anything
        /// No node.
        case nothing
        /// The revision with this version.
        case version(Int32)
    }

    let client: ZooKeeperClient
    let path: String
    let acl: [ACL]
    let options: ConfigurationOptions<Value>
    let cleaner: Cleaner
    private let known: Mutex<ConfigurationRevision<Value>?>
    private let backup: ConfigurationBackup?

    /// A value at a path.
    ///
    /// - Parameters:
    ///   - client: the session that reads and publishes.
    ///   - path: the node; it need not exist yet.
    ///   - options: history, backup file and validation.
    ///   - acl: the access control list of the nodes that publishing creates.
    public init(
        _ client: ZooKeeperClient, at path: String, options: ConfigurationOptions<Value> = .init(),
        acl: [ACL] = .open
    ) {
        self.client = client
        self.path = path
        self.acl = acl
        self.options = options
        cleaner = Cleaner(client)
        backup = options.backupFile.map(ConfigurationBackup.init)
        known = Mutex(backup?.load().flatMap { saved in Self.revision(of: saved, options) })
    }

    /// The newest valid revision that this object has read or published, also while there is no connection; before the
    /// first the one of the backup file, if there is one.
    ///
    /// It stays when the node is deleted or holds something that is no value of this type.
    public var lastKnownGood: ConfigurationRevision<Value>? { known.withLock { $0 } }

    /// Why the backup file could not be read or written the last time, for people; `nil` if it could.
    public var backupProblem: String? { backup?.problem }

    /// Returns when the newest revision is in the backup file, or writing it has failed.
    public func waitUntilBackedUp() async { await backup?.waitUntilWritten() }

    /// Whether the server would tell of a newer revision now: `false` while there is no connection.
    ///
    /// What ``lastKnownGood`` says is up to date only while this is `true` and ``updates`` is being followed.
    public var isConnected: Bool {
        switch client.state {
        case .connected, .reconnected, .readOnly: true
        case .connecting, .suspended, .expired, .closed, .authenticationFailed: false
        }
    }

    /// Reads the current revision; `nil` if there is no node.
    ///
    /// - Throws: ``ZooKeeperError`` from the request; what the value's own initialiser throws if the data is not valid.
    /// - Cost: one request.
    public func current() async throws -> ConfigurationRevision<Value>? {
        let node: NodeData
        do {
            node = try await client.data(at: path)
        } catch let error where error.code == .noNode {
            return nil
        }
        let revision = try self.revision(of: node.bytes, stat: node.stat)
        learn(revision)
        return revision
    }

    /// Writes a new revision, which every subscriber is told of.
    ///
    /// - Parameter expectation: what must be there now; without it the newest publisher wins.
    /// - Throws: ``ZooKeeperError`` with code `badVersion` or `nodeExists` if something else was there, `noNode` if a
    ///   version was expected and there is no node; after `connectionLoss` the outcome is unknown. What the value's
    ///   conversion and the validation throw; then nothing is written.
    /// - Cost: one request, with history three; when the node has to be made, those for what is missing above it.
    @discardableResult
    public func publish(
        _ value: Value, expecting expectation: Expectation = .anything
    ) async throws -> ConfigurationRevision<Value> {
        try options.validation?(value)
        let bytes = try value.configurationBytes()
        let stat = try await write(bytes, expecting: expectation)
        let revision = ConfigurationRevision(
            value: value, version: stat.version, zxid: stat.mzxid, writtenMilliseconds: stat.mtime)
        learn(revision)
        return revision
    }

    /// Replaces the value by one made from it, again and again until nobody has written in between.
    ///
    /// - Parameter change: gets the current value, `nil` if there is no node; may run several times.
    /// - Throws: what `change` throws, what ``current()`` and ``publish(_:expecting:)`` throw. A lost connection is not
    ///   retried, for the change may have been made.
    /// - Cost: two requests for each attempt.
    @discardableResult
    public func update(
        _ change: @Sendable (Value?) throws -> Value
    ) async throws -> ConfigurationRevision<Value> {
        while true {
            let current = try await current()
            do {
                return try await publish(
                    try change(current?.value), expecting: current.map { .version($0.version) } ?? .nothing)
            } catch let error as ZooKeeperError
                where error.path == path
                && (error.code == .badVersion || error.code == .nodeExists || error.code == .noNode && current != nil)
            {
                // Somebody was faster, so somebody made progress; a cancelled task leaves at the next request.
            }
        }
    }

    // MARK: - Private

    func write(_ bytes: [UInt8], expecting expectation: Expectation) async throws(ZooKeeperError) -> Stat {
        if options.historyLimit > 0 { return try await writeWithHistory(bytes, expecting: expectation) }
        switch expectation {
        case .version(let version):
            return try await client.setData(at: path, to: bytes, version: version)
        case .nothing:
            return try await create(bytes)
        case .anything:
            while true {
                do {
                    return try await client.setData(at: path, to: bytes)
                } catch let error where error.code == .noNode {
                    // Made below, unless somebody else makes it first.
                }
                do {
                    return try await create(bytes)
                } catch let error where error.code == .nodeExists {
                    continue
                }
            }
        }
    }

    private func create(_ bytes: [UInt8]) async throws(ZooKeeperError) -> Stat {
        do {
            return try await client.create(path, bytes, acl: acl).stat
        } catch let error where error.code == .noNode {
            if let parent = NodePath(path).parent, parent != .root {
                try await Parents.make(parent.text, with: client, mode: .persistent, acl: acl)
            }
            return try await client.create(path, bytes, acl: acl).stat
        }
    }

    private func revision(of bytes: [UInt8], stat: Stat) throws -> ConfigurationRevision<Value> {
        ConfigurationRevision(
            value: try value(of: bytes), version: stat.version, zxid: stat.mzxid, writtenMilliseconds: stat.mtime)
    }

    /// The value that these bytes stand for; throws if they stand for none, or for one that is not valid.
    func value(of bytes: [UInt8]) throws -> Value {
        let value = try Value(configurationBytes: bytes)
        try options.validation?(value)
        return value
    }

    private static func revision(
        of saved: ConfigurationBackup.Content, _ options: ConfigurationOptions<Value>
    ) -> ConfigurationRevision<Value>? {
        let value: Value
        do {
            value = try Value(configurationBytes: saved.bytes)
            try options.validation?(value)
        } catch {
            // A value of an earlier program that is none for this one is as good as no value.
            return nil
        }
        return ConfigurationRevision(
            value: value, version: saved.version, zxid: saved.zxid, writtenMilliseconds: saved.writtenMilliseconds,
            isFromBackup: true)
    }

    /// Keeps a revision if it is newer than the one known; one of the backup file may be of another ensemble.
    func learn(_ revision: ConfigurationRevision<Value>) {
        let isNew = known.withLock { known in
            if let known, !known.isFromBackup, known.zxid >= revision.zxid { return false }
            known = revision
            return true
        }
        // A value that was read or published has a form as bytes; without one there would be nothing to keep.
        guard isNew, let backup, let bytes = try? revision.value.configurationBytes() else { return }
        backup.save(
            .init(
                version: revision.version, zxid: revision.zxid, writtenMilliseconds: revision.writtenMilliseconds,
                bytes: bytes))
    }
}

import ConclaveClient
import ConclaveCore

extension Configuration {
    /// The revisions that are kept, the newest first; those that are no values of this type are left out.
    ///
    /// Only what publishers with ``ConfigurationOptions/historyLimit`` have written is there.
    ///
    /// - Parameter limit: how many to read at most, from the newest on.
    /// - Cost: one request for the names and one for each revision.
    public func history(limit: Int = 100) async throws(ZooKeeperError) -> [ConfigurationRevision<Value>] {
        let parent = PublishMachine.history(of: path)
        let names: [String]
        do {
            names = try await client.children(of: parent).names
        } catch let error where error.code == .noNode {
            return []
        }
        let wanted = Array(names.filter { PublishMachine.version(of: $0) != nil }.reversed().prefix(max(0, limit)))
        var revisions: [ConfigurationRevision<Value>] = []
        // One by one: together they might be more than fits into an answer.
        for name in wanted {
            do {
                let node = try await client.data(at: NodePath.text(of: name, below: parent))
                // What is no value of this type is left out.
                guard let version = PublishMachine.version(of: name), let value = try? value(of: node.bytes) else {
                    continue
                }
                // The entry was made by the transaction that published the revision.
                revisions.append(
                    ConfigurationRevision(
                        value: value, version: version, zxid: node.stat.czxid, writtenMilliseconds: node.stat.ctime))
            } catch let error where error.code == .noNode {
                // Somebody has published meanwhile, and this one was beyond the limit.
            }
        }
        return revisions
    }

    /// Publishes a revision of the history once more, as a new revision.
    ///
    /// - Parameters:
    ///   - version: that of the revision to go back to.
    ///   - expectation: what must be there now.
    /// - Throws: `noNode` if the history does not have that revision; else as ``publish(_:expecting:)``.
    /// - Cost: one request more than to publish.
    @discardableResult
    public func rollBack(
        to version: Int32, expecting expectation: Expectation = .anything
    ) async throws -> ConfigurationRevision<Value> {
        let entry = NodePath.text(of: PublishMachine.name(of: version), below: PublishMachine.history(of: path))
        return try await publish(try value(of: try await client.data(at: entry).bytes), expecting: expectation)
    }

    func writeWithHistory(
        _ bytes: [UInt8], expecting expectation: Expectation
    ) async throws(ZooKeeperError) -> Stat {
        let expected: PublishMachine.Expected =
            switch expectation {
            case .anything: .anything
            case .nothing: .nothing
            case .version(let version): .version(version)
            }
        let machine = PublishMachine(
            bytes, at: path, expecting: expected, limit: options.historyLimit, acl: acl)
        var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
        return try await runner.run(expiry: Expiry())
    }
}

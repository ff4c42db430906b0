import ConclaveClient
import ConclaveCore

extension Contenders {
    /// Replaces a contender that stands as an exclusive one and holds, if only for reading, by a shared one with the
    /// same number, in one transaction.
    func downgrade(_ grant: LockGrant) async throws(ZooKeeperError) -> LockGrant {
        let old = grant.hold
        let oldName = String(decoding: NodePath(old.path).name, as: UTF8.self)
        guard old.client === client, old.parent == path, let name = ContenderName(oldName), !name.isShared else {
            throw ZooKeeperError(
                .badArguments, path: old.path,
                message: "only a hold for writing, or one that can be upgraded, can be downgraded")
        }
        var generator = SystemRandomNumberGenerator()
        let attempt = AttemptID(using: &generator)
        let digits = String(name.sequence)
        let number = String(repeating: "0", count: max(0, 10 - digits.utf8.count)) + digits
        let newPath = node("_c_\(attempt.text)-\(ContenderKind.read.rawValue)\(number)")
        do {
            try await old.replace(isUnknown: \.isOutcomeUnknown) { () async throws(ZooKeeperError) in
                _ = try await old.guarded([
                    .create(newPath, identity, mode: .ephemeral, acl: acl), .delete(old.path, version: nil),
                ])
                return true
            }
        } catch {
            if error.isOutcomeUnknown {
                cleaner.start { _ throws(ZooKeeperError) in try await sweep(attempt) }
            }
            throw error
        }
        // The token stays: a new one would be above those of the writers that wait already, and so of later grants
        // (S2).
        let hold = Hold(
            client: client, cleaner: cleaner, parent: path, path: newPath, token: old.token, isShared: true,
            removal: .byName)
        hold.begin(ownWatch: nil)
        return LockGrant(hold)
    }

    /// Waits until nobody is before a reader that stands in the queue as a writer; then it holds exclusively. `false`
    /// if a try has found others.
    func upgrade(
        _ grant: LockGrant, patience: AttemptPatience, deadline: Deadline
    ) async throws(ZooKeeperError) -> Bool {
        let hold = grant.hold
        let text = String(decoding: NodePath(hold.path).name, as: UTF8.self)
        guard hold.client === client, hold.parent == path, let name = ContenderName(text), !name.isShared else {
            throw ZooKeeperError(
                .badArguments, path: hold.path, message: "only a reader that was acquired as upgradable can be upgraded"
            )
        }
        let machine = UpgradeMachine(
            path: path, own: name, patience: patience, ownHolds: TaskHolds.names(under: path).subtracting([text]))
        let output = try await StepRunner.run(
            machine, client: client, cleaner: cleaner, path: path, acl: acl, deadline: deadline)
        guard output == .upgraded else { return false }
        hold.becomeExclusive()
        guard hold.isLive else { throw hold.lostError() }
        return true
    }
}

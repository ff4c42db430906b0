import ConclaveClient
import ConclaveCore

extension Contenders {
    /// Replaces an exclusive contender that holds by a shared one with the same number, in one transaction.
    func downgrade(_ grant: LockGrant) async throws(ZooKeeperError) -> LockGrant {
        let old = grant.hold
        let oldName = String(decoding: NodePath(old.path).name, as: UTF8.self)
        guard old.client === client, old.parent == path, !old.isShared, let name = ContenderName(oldName) else {
            throw ZooKeeperError(
                .badArguments, path: old.path, message: "only a hold for writing at this path can be downgraded")
        }
        var generator = SystemRandomNumberGenerator()
        let attempt = AttemptID(using: &generator)
        let digits = String(name.sequence)
        let number = String(repeating: "0", count: max(0, 10 - digits.utf8.count)) + digits
        let newPath = node("_c_\(attempt.text)-\(ContenderKind.read.rawValue)\(number)")
        do {
            try await old.replace(with: [
                .create(newPath, identity, mode: .ephemeral, acl: acl), .delete(old.path, version: nil),
            ])
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
}

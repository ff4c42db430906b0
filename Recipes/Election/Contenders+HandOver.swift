import ConclaveClient
import ConclaveCore

/// The candidates' side of handing over.
extension Contenders {
    /// Takes the place of the first in the queue, who has offered it.
    func takeOver(
        own: String, from first: String, _ attempt: AttemptID
    ) async throws(ZooKeeperError) -> ContenderMachine.Event {
        guard let firstName = ContenderName(first), let offer = HandOver.offerName(from: first, to: own) else {
            throw ZooKeeperError(.protocolViolation, path: path)
        }
        let name = HandOver.successor(of: firstName, attempt: attempt)
        let results = try await client.transaction([
            .delete(node(offer)), .delete(node(first)), .delete(node(own)),
            .create(node(name), identity, mode: .ephemeral, acl: acl), .setData(node(HandOver.dateName), []),
            // Tells the facts of the new node, which the create in a transaction does not.
            .setData(node(name), identity),
        ])
        guard case .dataSet(let stat)? = results.last else { throw ZooKeeperError(.protocolViolation, path: path) }
        return .created(name: name, czxid: stat.czxid, owner: stat.ephemeralOwner)
    }

    /// Makes sure that the term of who is first is above all terms that began out of turn; `nil` if the own node has
    /// been removed meanwhile.
    func renewTerm(
        _ place: ContenderShell.Place, _ expiry: Expiry
    ) async throws(ZooKeeperError) -> ContenderShell.Place? {
        let attempt = place.attempt.next
        let machine = TermMachine(
            path: path, own: place.node, successor: HandOver.successor(of: place.node.name, attempt: attempt),
            session: client.sessionID, identity: identity, acl: acl)
        var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
        do {
            let node = try await runner.run(expiry: expiry)
            return ContenderShell.Place(
                node: node, attempt: node == place.node ? place.attempt : attempt,
                ownWatch: node == place.node ? place.ownWatch : nil, orphans: [], isDated: false)
        } catch let error where error.code == .noNode {
            return nil
        }
    }
}

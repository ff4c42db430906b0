import ConclaveClient
public import ConclaveCore

/// An item that a consumer has and the queue still keeps: it returns unless the consumer finishes with it.
///
/// While it is claimed nobody else gets it. It is free again when it is given back, when this object is dropped, when
/// the session ends, or when the hold window closes; then others may be working on it already, which ``lost()`` tells.
public final class QueueDelivery<Item: QueueItem>: Sendable {
    /// What was put.
    public let item: Item
    /// The name of the item's node, which no other item of the queue has.
    public let name: String
    /// How often it was handed to a consumer, this time included: 1 for the first time.
    public let count: Int
    let hold: Hold
    private let core: QueueCore<Item>
    private let candidate: QueueCandidate
    private let bytes: [UInt8]

    init(_ got: QueueGot<Item>, token: FencingToken, core: QueueCore<Item>) {
        item = got.item
        name = got.candidate.name.text
        count = Int(got.candidate.version) + 1
        self.core = core
        bytes = got.bytes
        // As the claim has left it: that wrote the data once more.
        candidate = QueueCandidate(
            name: got.candidate.name, data: got.candidate.data, version: got.candidate.version &+ 1)
        // Every claim of an item has the same name; the item's version tells them apart.
        hold = Hold(
            client: core.client, cleaner: core.cleaner, parent: core.nodes.item(candidate.name),
            path: core.nodes.claim(candidate.name), token: token, isShared: false,
            removal: .underVersion(candidate.version))
        hold.begin(ownWatch: nil)
    }

    deinit { hold.abandon() }

    /// Grows from delivery to delivery: what was written with an older one for the same item can be refused.
    public var token: FencingToken { hold.token }

    /// Whether nobody else can have the item now, as far as this side can know.
    public var isHeld: Bool { hold.isHeld }

    /// Waits for the end of the claim; `nil` if it was finished or given back.
    public func lost() async throws(CancellationError) -> HoldLoss? { try await hold.waitForLoss() }

    /// The work is done: takes the item out of the queue. One request.
    ///
    /// If the answer is lost the removal goes on in the background, until it is done or the session is over.
    ///
    /// - Throws: `holdLost` if the item was free for others before: it may be handed out again.
    public func finish() async throws(ZooKeeperError) {
        try await end(by: [
            .delete(hold.path, version: nil), .delete(core.nodes.item(candidate.name), version: candidate.version),
        ])
    }

    /// Gives the item back, to be handed out again; to the dead letters if it was handed out as often as the queue allows.
    ///
    /// - Throws: `holdLost` if it was free for others before.
    public func giveBack() async throws(ZooKeeperError) {
        guard let limit = core.settings.deliveryLimit, count >= limit else {
            return try await end(by: [
                .check(core.nodes.item(candidate.name), version: candidate.version), .delete(hold.path, version: nil),
            ])
        }
        let dead = core.nodes.dead
        try await Parents.make(dead, with: core.client, mode: .persistent, acl: core.settings.acl)
        let letter = NodePath.text(of: "qn-", below: dead)
        try await end(by: [
            .delete(hold.path, version: nil),
            .delete(core.nodes.item(candidate.name), version: candidate.version),
            .create(letter, bytes, mode: .persistentSequential, acl: core.settings.acl),
        ])
    }

    private func end(by operations: [Operation]) async throws(ZooKeeperError) {
        do {
            try await hold.release { client throws(ZooKeeperError) in _ = try await client.perform(operations) }
        } catch let error where error.code == .noNode || error.code == .badVersion {
            // The claim has gone, or another consumer has had the item since.
            throw ZooKeeperError(
                .holdLost, path: hold.path, message: "the claim has ended; the item may be handed out again")
        }
    }
}

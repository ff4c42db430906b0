import ConclaveClient
public import ConclaveCore
import Synchronization

/// An instance that is registered, or was.
///
/// It ends once: by ``release()``, when its session is over, when another session takes its id, or when the last
/// reference to it goes, which releases it in the background.
public final class ServiceRegistration<Metadata: Codable & Sendable>: Sendable {
    /// Why nobody finds it any more.
    public enum Ending: Equatable, Sendable {
        /// It was given up.
        case released
        /// Another session has registered the same id.
        case replaced
        /// The session is over, or the servers refuse: registering again takes a new session.
        case failed(ZooKeeperError)
    }

    private struct State {
        var instance: ServiceInstance<Metadata>
        /// The instance as its node holds it.
        var data: [UInt8]
        var upkeep: Task<Void, Never>?
    }

    /// The path of the instance's node.
    public let path: String
    private let client: ZooKeeperClient
    private let cleaner: Cleaner
    private let acl: [ACL]
    private let state: Mutex<State>
    private let ending = Signal<Ending>()

    init(
        _ instance: ServiceInstance<Metadata>, client: ZooKeeperClient, cleaner: Cleaner, path: String, acl: [ACL]
    ) throws {
        state = Mutex(State(instance: instance, data: try instance.configurationBytes()))
        self.client = client
        self.cleaner = cleaner
        self.path = path
        self.acl = acl
    }

    deinit {
        guard ending.fire(.released) else { return }
        state.withLock { $0.upkeep }?.cancel()
        cleaner.disown(path)
    }

    /// The instance as it was registered or last changed.
    public var instance: ServiceInstance<Metadata> { state.withLock { $0.instance } }

    /// Whether it is registered, as far as this side knows.
    public var isRegistered: Bool { ending.value == nil }

    /// Waits for the end and tells the reason. Throws if the waiting task is cancelled.
    public func ended() async throws(CancellationError) -> Ending { try await ending.wait() }

    /// Changes what the instance says of itself, such as ``ServiceInstance/isEnabled`` before it is taken out of use.
    ///
    /// - Parameter change: must leave name and id as they are.
    /// - Throws: what the metadata's encoding throws; `noNode` if it is registered no more, or is just being registered
    ///   again, which then says the new; else what a request threw: after `connectionLoss` the outcome is unknown.
    /// - Cost: two requests.
    public func update(_ change: @Sendable (inout ServiceInstance<Metadata>) -> Void) async throws {
        let bytes = try state.withLock { state in
            var changed = state.instance
            change(&changed)
            (changed.service, changed.id) = (state.instance.service, state.instance.id)
            state.data = try changed.configurationBytes()
            state.instance = changed
            return state.data
        }
        guard isRegistered, let stat = try await client.exists(path), stat.ephemeralOwner == client.sessionID else {
            throw ZooKeeperError(.noNode, path: path, message: "it is not registered now")
        }
        try await client.setData(at: path, to: bytes, version: stat.version)
    }

    /// Gives it up. Returns when the node is gone, or goes on in the background if the connection is lost first.
    ///
    /// - Cost: 3 requests: only a node that is still this session's is removed.
    public func release() async {
        guard ending.fire(.released) else { return }
        state.withLock { $0.upkeep }?.cancel()
        await cleaner.disown(path).value
    }

    // MARK: - Keeping it up

    /// Makes the node, and from then on makes it again whenever somebody removes it.
    func begin(_ deadline: Deadline) async throws(ZooKeeperError) {
        let data = state.withLock { $0.data }
        let (client, cleaner, path, acl) = (client, cleaner, path, acl)
        _ = try await deadline.limit { (expiry: Expiry) async throws(ZooKeeperError) in
            let machine = RegistrationMachine(
                at: path, data: data, session: client.sessionID, acl: acl, isStanding: false)
            var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
            return try await runner.run(expiry: expiry)
        }
        // Without a reference to the registration, which ends when it is dropped.
        let upkeep = Task.detached { [weak self] in
            while let data = self?.state.withLock({ $0.data }) {
                let machine = RegistrationMachine(
                    at: path, data: data, session: client.sessionID, acl: acl, isStanding: true)
                var runner = StepRunner(machine, client: client, cleaner: cleaner, path: path, acl: acl)
                do throws(ZooKeeperError) {
                    guard case .created = try await runner.run(expiry: Expiry()) else {
                        self?.ending.fire(.replaced)
                        return
                    }
                    // What was said meanwhile is not in the node that was made again.
                    if let now = self?.state.withLock({ $0.data }), now != data {
                        try await client.setData(at: path, to: now)
                    }
                } catch {
                    // A lost connection or a node that went again: looked at anew by the next machine.
                    if error.code.isWorthReconnecting || error.code == .noNode { continue }
                    // Cancelled because it has ended: that is known, and the node is being removed.
                    guard error.code != .cancelled, self?.ending.fire(.failed(error)) == true else { return }
                    cleaner.disown(path)
                    return
                }
            }
        }
        state.withLock { $0.upkeep = upkeep }
    }
}

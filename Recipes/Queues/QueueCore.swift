import ConclaveClient
import ConclaveCore
import Synchronization

/// What all forms of queues share: one client's window on the head of the queue, its marks, and the machines it runs.
final class QueueCore<Item: QueueItem>: Sendable {
    /// What a queue is like; the same for all its users, except for identity and access.
    struct Settings: Sendable {
        let path: String
        let ordering: QueueOrdering
        let layout: QueueLayout
        let limit: Int?
        let deliveryLimit: Int?
        let identity: String
        let acl: [ACL]
    }

    struct State: ~Copyable {
        var window: QueueWindow
        /// Reads ahead, while it does, for all who wait for it.
        var fetch: Signal<Result<Fetch, ZooKeeperError>>?
        var freeMarks: [QueueMark] = []
        var markCount = 0
        /// Items that may be put without counting again.
        var credit = 0
        var lastSequence: Int32 = -1
        var random = SystemRandomNumberGenerator()
    }

    /// What a read has found, for those who waited for it.
    struct Fetch: Sendable {
        let isEmpty: Bool
        let unusable: Set<String>
    }

    /// Marks kept for the next puts and takes; more are deleted when they have been used.
    static var keptMarks: Int { 64 }
    /// How many items a client may put after it has counted, if there is room for many more.
    static var creditLimit: Int { 16 }

    let client: ZooKeeperClient
    let settings: Settings
    let nodes: QueueNodes
    let cleaner: Cleaner
    let takers: Contenders
    let putters: Contenders
    let state: Mutex<State>
    private let id: AttemptID

    init(_ client: ZooKeeperClient, _ settings: Settings) {
        self.client = client
        self.settings = settings
        nodes = QueueNodes(items: settings.path)
        cleaner = Cleaner(client)
        takers = Contenders(client, at: nodes.takers, identity: settings.identity, acl: settings.acl)
        putters = Contenders(client, at: nodes.putters, identity: settings.identity, acl: settings.acl)
        state = Mutex(State(window: QueueWindow(ordering: settings.ordering)))
        var generator = SystemRandomNumberGenerator()
        id = AttemptID(using: &generator)
    }

    deinit {
        // The session may live on for long; its other queues have marks of their own.
        for mark in state.withLock({ $0.freeMarks }) where mark.exists {
            cleaner.start { client throws(ZooKeeperError) in try await client.deleteIfPresent(mark.path) }
        }
    }

    // MARK: - Marks

    func takeMark() -> QueueMark {
        state.withLock { state in
            if let mark = state.freeMarks.popLast() { return mark }
            state.markCount += 1
            return QueueMark(path: NodePath.text(of: "\(id.text)-\(state.markCount)", below: nodes.marks))
        }
    }

    func giveBack(_ mark: QueueMark) {
        let isKept = state.withLock { state in
            guard state.freeMarks.count < Self.keptMarks else { return false }
            state.freeMarks.append(mark)
            return true
        }
        guard !isKept, mark.exists else { return }
        cleaner.start { client throws(ZooKeeperError) in try await client.deleteIfPresent(mark.path) }
    }

    // MARK: - Running machines

    func run<Machine: StepMachine>(
        _ machine: Machine, _ expiry: Expiry
    ) async throws(ZooKeeperError) -> Machine.Output {
        var runner = StepRunner(
            machine, client: client, cleaner: cleaner, path: settings.path, acl: settings.acl)
        return try await runner.run(expiry: expiry)
    }

    /// Runs a machine that the caller's cancellation does not reach: what it gets would be lost halfway. It ends with
    /// the session at the latest.
    func runToEnd<Machine: StepMachine>(_ machine: Machine) async throws(ZooKeeperError) -> Machine.Output {
        let task = Task { [self] in
            do throws(ZooKeeperError) {
                return Result<Machine.Output, ZooKeeperError>.success(try await run(machine, Expiry()))
            } catch {
                return .failure(error)
            }
        }
        return try await task.value.get()
    }

    /// Throws if the caller has been cancelled, by the deadline or otherwise.
    func checkCancellation(_ expiry: Expiry) throws(ZooKeeperError) {
        if Task.isCancelled { throw cancelled(expiry) }
    }

    func cancelled(_ expiry: Expiry) -> ZooKeeperError {
        ZooKeeperError(expiry.isSet ? .deadlineExceeded : .cancelled, path: settings.path)
    }

    /// A place at the head of a line, taken in the order of arrival.
    func standInLine(_ line: Contenders, _ expiry: Expiry) async throws(ZooKeeperError) -> Hold {
        do {
            guard let hold = try await line.acquire(.lock, patience: .wait, deadline: .never) else {
                preconditionFailure("whoever waits without limit gets a place or an error")
            }
            return hold
        } catch let error where error.code == .cancelled {
            throw cancelled(expiry)
        }
    }

    /// What this queue has given up handing out.
    var deadLetters: DistributedQueue<[UInt8]> {
        DistributedQueue<[UInt8]>(
            client, at: nodes.dead, deliveries: nil, identity: settings.identity, acl: settings.acl)
    }

    func waitUntilClean() async {
        await takers.cleaner.waitUntilIdle()
        await putters.cleaner.waitUntilIdle()
        await cleaner.waitUntilIdle()
    }

    // MARK: - Looking

    /// How many items there are, claimed ones included.
    func count() async throws(ZooKeeperError) -> Int {
        Int(try await client.exists(nodes.items)?.numChildren ?? 0)
    }

    /// Items from the head on, with those who have claimed them.
    func list(limit: Int) async throws(ZooKeeperError) -> [QueueEntry] {
        let names: [QueueItemName]
        let claims: Set<String>
        do {
            let ordering = settings.ordering
            names = try await client.children(of: nodes.items).names
                .compactMap { QueueItemName($0, ordering: ordering) }.sorted()
            claims = Set(try await client.childrenIfPresent(of: nodes.claims))
        } catch let error where error.code == .noNode {
            return []
        }
        let shown = names.prefix(max(0, limit))
        let items = try await client.dataOfMany(shown.map(nodes.item))
        let claimed = shown.filter { claims.contains($0.text) }
        let claimers = try await client.dataOfMany(claimed.map(nodes.claim))
        let holders = Dictionary(uniqueKeysWithValues: zip(claimed.map(\.text), claimers))
        return zip(shown, items).compactMap { name, node in
            guard let node else { return nil }
            let claim = holders[name.text] ?? nil
            let content = Self.contents(of: node.bytes, in: name)
            return QueueEntry(
                name: name.text, bytes: content.count == 1 ? content[0] : node.bytes,
                deliveries: Int(node.stat.version),
                sinceMilliseconds: node.stat.ctime, rank: settings.ordering == .arrival ? nil : name.rank,
                consumer: claim.map { QueueClaim.identity(in: $0.bytes) })
        }
    }

    /// The items in a node: one, unless Curator put several.
    static func contents(of bytes: [UInt8], in name: QueueItemName) -> [[UInt8]] {
        guard name.text.utf8.starts(with: "queue-".utf8) else { return [bytes] }
        return CuratorEnvelope.open(bytes) ?? [bytes]
    }
}

/// The data of a claim: the id of the attempt, a blank, the identity of the consumer.
enum QueueClaim {
    static func data(_ attempt: AttemptID, identity: String) -> [UInt8] { Array("\(attempt.text) \(identity)".utf8) }

    static func identity(in data: [UInt8]) -> String {
        String(decoding: data.drop { $0 != UInt8(ascii: " ") }.dropFirst(), as: UTF8.self)
    }
}

extension ZooKeeperClient {
    /// The children of a node; none if it does not exist.
    func childrenIfPresent(of path: String) async throws(ZooKeeperError) -> [String] {
        do {
            return try await children(of: path).names
        } catch let error where error.code == .noNode {
            return []
        }
    }
}

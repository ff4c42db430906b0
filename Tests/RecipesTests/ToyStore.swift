import ConclaveCore

@testable import Recipes

/// The part of a server that contenders see: sequential ephemeral children of one node, in memory.
struct ToyStore {
    struct Node: Equatable {
        let czxid: Zxid
        let owner: SessionID
    }

    private(set) var nodes: [String: Node] = [:]
    private(set) var hasParent = false
    private var zxid: Int64 = 0
    private var counter: Int32 = 0

    private(set) var names: [String] = []
    var now: Zxid { Zxid(rawValue: zxid) }

    mutating func makeParent() {
        zxid += 1
        hasParent = true
    }

    /// Creates with a number appended; `nil` without the parent.
    mutating func create(prefix: String, owner: SessionID) -> (name: String, czxid: Zxid)? {
        guard hasParent else { return nil }
        zxid += 1
        let digits = String(counter)
        counter += 1
        let name = prefix + String(repeating: "0", count: 10 - digits.utf8.count) + digits
        names.append(name)
        nodes[name] = Node(czxid: Zxid(rawValue: zxid), owner: owner)
        return (name, Zxid(rawValue: zxid))
    }

    /// Creates a node of exactly this name.
    mutating func create(named name: String, owner: SessionID) -> Zxid {
        zxid += 1
        names.append(name)
        nodes[name] = Node(czxid: Zxid(rawValue: zxid), owner: owner)
        return Zxid(rawValue: zxid)
    }

    mutating func delete(_ name: String) {
        zxid += 1
        nodes[name] = nil
        names.removeAll { $0 == name }
    }

    mutating func expire(_ session: SessionID) -> [String] {
        zxid += 1
        let gone = names.filter { nodes[$0]?.owner == session }
        for name in gone { nodes[name] = nil }
        names.removeAll { nodes[$0] == nil }
        return gone
    }
}

/// Many attempts against one ``ToyStore``, interleaved from a seed: replies and requests are lost, sessions expire,
/// nodes are removed by strangers, tasks are cancelled, and notifications come late.
struct ToyWorld {
    struct Client {
        var session: SessionID
        var isShared: Bool
        var machine: ContenderMachine
        var isExpired = false
        /// The request that has been sent and not answered.
        var pending: ContenderMachine.Action?
        /// Answers and notifications on their way, in order.
        var inbox: [ContenderMachine.Event] = []
        var behind: String?
        var own: String?
        /// What the store's clock said at the last listing.
        var listed = Zxid.zero
        var cleanups: [ContenderMachine.Action] = []
        var grants: [ContenderMachine.Node] = []
        var endings: [AttemptEnding] = []
    }

    var store = ToyStore()
    var clients: [Client]
    var random: SeededRandom
    /// Tokens of exclusive grants with the moment of the listing that gave them: the store's order, not that of
    /// delivery.
    var exclusiveGrants: [(listed: Zxid, token: Zxid)] = []
    var wakeUps = 0
    var violations: [String] = []
    /// Whether those that hold offer their place to others now and then.
    let isHandingOver: Bool
    var takeOvers = 0

    init(seed: UInt64, clients count: Int, sharing: Bool, handingOver: Bool = false) {
        random = SeededRandom(seed: seed)
        isHandingOver = handingOver
        clients = []
        for number in 0..<count {
            let session = SessionID(rawValue: Int64(number + 1))
            let isShared = sharing && Bool.random(using: &random)
            clients.append(
                Client(
                    session: session, isShared: isShared,
                    machine: ContenderMachine(
                        attempt: AttemptID(using: &random), session: session, isShared: isShared)))
        }
    }

    mutating func start() {
        for index in clients.indices { feed(index, .start) }
    }

    /// One step of one client: something that may happen now does.
    mutating func step(faults: Bool) {
        let index = Int.random(in: clients.indices, using: &random)
        let dice = Int.random(in: 0..<100, using: &random)
        if isHandingOver, Int.random(in: 0..<5, using: &random) == 0 { offer(index) }
        switch dice {
        case 0..<45: serve(index, faults: faults)
        case 45..<85: deliver(index)
        case 85..<90: clean(index)
        case 90..<94: if case .held = clients[index].machine.state { feed(index, .released) }
        case 94..<96: if faults { feed(index, Bool.random(using: &random) ? .cancelled : .deadlinePassed) }
        case 96: if faults { expire(index) }
        case 97: if faults, let victim = store.names.randomElement(using: &random) { remove(victim) }
        case 98: if faults { feed(index, .predecessorGone) }
        default: if faults, case .held = clients[index].machine.state { feed(index, .windowLapsed) }
        }
        check()
    }

    /// Everything that is under way comes to its end, without new faults.
    mutating func drain() {
        for _ in 0..<2_000 {
            if isQuiet { return }
            for index in clients.indices {
                serve(index, faults: false)
                deliver(index)
                clean(index)
                if case .held = clients[index].machine.state { feed(index, .released) }
                check()
            }
        }
    }

    var isQuiet: Bool {
        clients.allSatisfy { client in
            guard case .over = client.machine.state else { return false }
            return client.cleanups.isEmpty
        }
    }

    // MARK: - What happens

    private mutating func feed(_ index: Int, _ event: ContenderMachine.Event) {
        for action in clients[index].machine.handle(event) {
            switch action {
            case .grant(let node):
                clients[index].grants.append(node)
                if !clients[index].isShared { exclusiveGrants.append((clients[index].listed, node.czxid)) }
                if store.nodes[node.name.text] != nil, store.nodes[node.name.text]?.owner != clients[index].session {
                    violations.append("S6: granted on a node of another session")
                }
            case .end(let ending):
                clients[index].endings.append(ending)
                // A request that is on its way when the attempt gives up may still arrive, before what cleans up.
                if let pending = clients[index].pending, !clients[index].isExpired, Bool.random(using: &random) {
                    _ = execute(pending, for: index)
                }
                clients[index].pending = nil
                clients[index].behind = nil
                // Whoever has made an offer takes it back.
                if isHandingOver, !clients[index].isExpired {
                    clients[index].cleanups.append(.sweep(clients[index].machine.attempt))
                }
            case .remove, .sweep:
                if !clients[index].isExpired { clients[index].cleanups.append(action) }
            case .makeParents, .create, .find, .examine, .list, .wait, .awaitConnection, .takeOver:
                clients[index].pending = action
                clients[index].behind = nil
            }
        }
    }

    private mutating func serve(_ index: Int, faults: Bool) {
        guard let request = clients[index].pending, !clients[index].isExpired else { return }
        clients[index].pending = nil
        if request == .awaitConnection { return clients[index].inbox.append(.connected) }
        let fate = faults ? Int.random(in: 0..<12, using: &random) : 11
        if fate == 0 { return clients[index].inbox.append(.failed(.connectionLoss)) }
        let answer = execute(request, for: index)
        if fate == 1 { return clients[index].inbox.append(.failed(.connectionLoss)) }
        if let answer { clients[index].inbox.append(answer) }
    }

    private mutating func execute(_ request: ContenderMachine.Action, for index: Int) -> ContenderMachine.Event? {
        switch request {
        case .makeParents:
            store.makeParent()
            return .parentsMade
        case .create(let attempt):
            let kind = clients[index].isShared ? "__READ__" : isHandingOver ? "latch-" : "lock-"
            guard let made = store.create(prefix: "_c_\(attempt.text)-\(kind)", owner: clients[index].session) else {
                return .failed(.noNode)
            }
            return .created(name: made.name, czxid: made.czxid, owner: clients[index].session)
        case .find, .list:
            clients[index].listed = store.now
            return store.hasParent ? .listed(store.names, isWindowOpen: true) : .failed(.noNode)
        case .examine(let name):
            guard let node = store.nodes[name] else { return .ownNodeGone }
            return .examined(czxid: node.czxid, owner: node.owner)
        case .wait(let own, let behind):
            if store.nodes[behind] == nil { return .predecessorGone }
            if store.nodes[own] == nil { return .ownNodeGone }
            clients[index].behind = behind
            clients[index].own = own
            return nil
        case .takeOver(let own, let first, let attempt):
            return takeOver(own, from: first, attempt, index)
        case .awaitConnection, .remove, .sweep, .grant, .end:
            return nil
        }
    }

    /// A holder offers its place to one of the others, and wakes that one.
    private mutating func offer(_ index: Int) {
        guard case .held(let node) = clients[index].machine.state, store.nodes[node.name.text] != nil,
            let name = store.names.randomElement(using: &random), name != node.name.text,
            let offer = HandOver.offerName(from: node.name.text, to: name), store.nodes[offer] == nil
        else { return }
        _ = store.create(named: offer, owner: clients[index].session)
        for other in clients.indices where clients[other].own == name {
            clients[other].inbox.append(.predecessorGone)
        }
    }

    private mutating func takeOver(
        _ own: String, from first: String, _ attempt: AttemptID, _ index: Int
    ) -> ContenderMachine.Event {
        guard let offer = HandOver.offerName(from: first, to: own), let firstName = ContenderName(first),
            store.nodes[offer] != nil, store.nodes[first] != nil, store.nodes[own] != nil
        else { return .failed(.noNode) }
        clients[index].own = nil
        clients[index].behind = nil
        for name in [offer, first, own] { remove(name) }
        let name = HandOver.successor(of: firstName, attempt: attempt)
        takeOvers += 1
        return .created(
            name: name, czxid: store.create(named: name, owner: clients[index].session), owner: clients[index].session)
    }

    private mutating func deliver(_ index: Int) {
        guard !clients[index].inbox.isEmpty else { return }
        feed(index, clients[index].inbox.removeFirst())
    }

    private mutating func clean(_ index: Int) {
        guard !clients[index].cleanups.isEmpty else { return }
        switch clients[index].cleanups.removeFirst() {
        case .remove(let name): remove(name)
        case .sweep(let attempt):
            for name in store.names where name.contains(attempt.text) { remove(name) }
        default: break
        }
    }

    private mutating func expire(_ index: Int) {
        clients[index].isExpired = true
        clients[index].cleanups = []
        clients[index].inbox = [.sessionOver(.sessionExpired)]
        clients[index].pending = nil
        for name in store.expire(clients[index].session) { notify(name) }
    }

    private mutating func remove(_ name: String) {
        guard store.nodes[name] != nil else { return }
        store.delete(name)
        notify(name)
    }

    private mutating func notify(_ name: String) {
        var woken = 0
        for index in clients.indices {
            if clients[index].behind == name {
                clients[index].behind = nil
                clients[index].inbox.append(.predecessorGone)
                woken += 1
            }
            if case .held(let node) = clients[index].machine.state, node.name.text == name {
                clients[index].inbox.append(.ownNodeGone)
            } else if clients[index].own == name {
                clients[index].inbox.append(.ownNodeGone)
            }
        }
        wakeUps = max(wakeUps, woken)
    }

    // MARK: - What must hold after every step

    private mutating func check() {
        // S1: of those that hold and whose node lives, an exclusive one is alone.
        var live: [(name: ContenderName, isShared: Bool)] = []
        for client in clients {
            guard case .held(let node) = client.machine.state, store.nodes[node.name.text] != nil else { continue }
            live.append((node.name, client.isShared))
        }
        if live.count > 1, live.contains(where: { !$0.isShared }) {
            violations.append("S1: \(live.map(\.name.text)) hold together")
        }
    }

    /// What must hold at the end.
    mutating func checkHistory() {
        // S2: in the store's order tokens of exclusive grants grow.
        let tokens = exclusiveGrants.sorted { $0.listed < $1.listed }.map(\.token)
        // After a hand-over that is the affair of ``TermMachine``.
        if !isHandingOver, zip(tokens, tokens.dropFirst()).contains(where: { $0 >= $1 }) {
            violations.append("S2: tokens \(tokens) do not grow")
        }
        // S9: an attempt ends once, and is lost only if it was granted.
        for client in clients {
            if client.endings.count != 1 { violations.append("S9: ended as \(client.endings)") }
            if case .lost? = client.endings.first, client.grants.isEmpty {
                violations.append("S9: lost without a grant")
            }
        }
    }
}

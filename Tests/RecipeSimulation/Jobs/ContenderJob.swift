import ConclaveClient
import ConclaveCore
import Recipes

/// One attempt through sequential nodes: the real `ContenderMachine`, and around it what `ContenderShell` does with a
/// client.
struct ContenderJob: Job {
    /// What the request of the last action was for.
    private enum Expected: Sendable {
        case nothing
        case parents
        case created
        case synced
        case found
        case examined
        case listed
        case predecessor(own: String, behind: String)
        case ownNode(behind: String)
        case change(behind: String)
        case takenOver(String)
    }

    private var machine: ContenderMachine
    private let path: String
    let kind: ContenderKind
    private let planted: RecipeBug?
    private var expected = Expected.nothing
    private var watchedOwnNode: String?
    /// Which writes to the own node a listing has followed.
    private var ownVersion: (name: String, version: Int32)?
    /// Whether there is a note of terms that began out of turn; then the term is made sure of.
    private var isDated = false
    /// The last step before the grant, if there is one.
    private var settling: (any Job)?
    /// What holds that ended without a release have left.
    private var orphans: [HoldMarker] = []
    private let delay: Duration?
    private let session: SessionID
    private let patience: AttemptPatience
    /// Only for planted bugs.
    private var lastNames: [String] = []

    init(
        _ machine: ContenderMachine, at path: String, _ kind: ContenderKind, delay: Duration?, session: SessionID,
        patience: AttemptPatience, planted: RecipeBug?
    ) {
        self.machine = machine
        self.delay = delay
        self.session = session
        self.patience = patience
        self.path = path
        self.kind = kind
        self.planted = planted
    }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        if let actions = settling?.handle(event) { return actions }
        switch event {
        case .start: return feed(.start)
        case .answered(let answer, let isWindowOpen): return answered(answer, isWindowOpen || planted == .ignoresWindow)
        case .failed(let code, _): return feed(.failed(code))
        case .changed(let changed): return self.changed(changed)
        case .connected: return feed(.connected)
        case .cancelled: return feed(.cancelled)
        case .deadlinePassed: return feed(.deadlinePassed)
        case .sessionOver(let code): return feed(.sessionOver(code))
        case .elapsed: return []
        }
    }

    private mutating func answered(_ answer: StepAnswer, _ isWindowOpen: Bool) -> [JobAction] {
        switch (expected, answer) {
        case (.parents, .done): return feed(.parentsMade)
        case (.created, .written(let results)):
            guard case .created(let node, let stat?) = results.first else { return feed(.failed(.protocolViolation)) }
            let name = String(node.dropFirst(path.count + 1))
            return feed(.created(name: name, czxid: stat.czxid, owner: stat.ephemeralOwner))
        case (.synced, .done):
            expected = .found
            return [.request(.children(path))]
        case (.found, .children(let children)): return feed(.listed(children.names, isWindowOpen: isWindowOpen))
        case (.examined, .exists(let stat)):
            guard let stat else { return feed(.ownNodeGone) }
            return feed(.examined(czxid: stat.czxid, owner: stat.ephemeralOwner))
        case (.listed, .children(let children)):
            lastNames = children.names
            isDated = children.names.contains(HandOver.dateName)
            orphans = HoldMarker.orphans(among: children.names)
            let names =
                planted == .readsPastWriters && kind == .read
                ? children.names.filter { !$0.contains("__WRIT__") } : children.names
            return feed(.listed(names, isWindowOpen: isWindowOpen))
        case (.predecessor(let own, let behind), .exists(let stat)):
            guard stat != nil else { return feed(.predecessorGone) }
            // The watch on the own node is armed once and kept while it has not fired.
            guard watchedOwnNode != own else { return wait(behind: behind) }
            expected = .ownNode(behind: behind)
            watchedOwnNode = own
            return [.request(.exists(node(own), watch: true))]
        case (.ownNode(let behind), .exists(let stat)):
            guard let stat, let own = watchedOwnNode else {
                watchedOwnNode = nil
                return feed(.ownNodeGone)
            }
            // A leader that handed over between the listing and the watch is heard by neither.
            let listed = ownVersion?.name == own ? ownVersion?.version : 0
            ownVersion = (own, stat.version)
            guard stat.version == listed else { return feed(.predecessorGone) }
            return wait(behind: behind)
        case (.takenOver(let name), .written(let results)):
            guard case .dataSet(let stat)? = results.last else { return feed(.failed(.protocolViolation)) }
            return feed(.created(name: name, czxid: stat.czxid, owner: stat.ephemeralOwner))
        default: return feed(.failed(.protocolViolation))
        }
    }

    private mutating func wait(behind: String) -> [JobAction] {
        expected = .change(behind: behind)
        return [.wait(upTo: nil)]
    }

    private mutating func changed(_ changed: String) -> [JobAction] {
        if let own = watchedOwnNode, changed == node(own) { watchedOwnNode = nil }
        switch planted {
        case .sleepsOn where kind != .read: return [.wait(upTo: nil)]
        case .takesEventForGrant:
            if case .waiting(let own, _) = machine.state { return [.finish(.hold(holding(own)))] }
        default: break
        }
        return feed(.predecessorGone)
    }

    // MARK: Actions

    private mutating func feed(_ event: ContenderMachine.Event) -> [JobAction] {
        expected = .nothing
        return machine.handle(event).map { perform($0) }
    }

    private mutating func perform(_ action: ContenderMachine.Action) -> JobAction {
        switch action {
        case .makeParents:
            expected = .parents
            return .request(.makeParents(path, .container))
        case .create(let attempt):
            expected = .created
            let name = "_c_\(attempt.text)-\(kind.rawValue)"
            return .request(.write([.create(node(name), [], mode: .ephemeralSequential)]))
        case .find:
            expected = planted == .looksWithoutSync ? .found : .synced
            return .request(planted == .looksWithoutSync ? .children(path) : .sync(path))
        case .examine(let name):
            expected = .examined
            return .request(.exists(node(name)))
        case .list:
            expected = .listed
            return .request(.children(path))
        case .wait(let own, var behind):
            if planted == .watchesFirst { behind = lastNames.compactMap(ContenderName.init).min()?.text ?? behind }
            expected = .predecessor(own: own, behind: behind)
            return .request(.exists(node(behind), watch: true))
        case .awaitConnection: return .awaitConnection
        case .takeOver(let own, let first, let attempt): return takeOver(own, from: first, attempt)
        case .remove(let name): return .background(CleaningJob([.delete(node(name))], planted: planted))
        case .sweep(let attempt):
            guard planted != .leavesCancelled else { return .background(CleaningJob([], planted: planted)) }
            return .background(SweepingJob(below: path, mark: attempt.text))
        case .grant(let own): return granted(own)
        case .end(let ending): return .finish(.ended(ending))
        }
    }

    /// As `Contenders.settle` and `Contenders.renewTerm`.
    private mutating func granted(_ own: ContenderMachine.Node) -> JobAction {
        if let delay { return settle(own, delay) }
        // An election in which a leader has handed over out of turn.
        guard kind == .latch, isDated, planted != .keepsOldTerm else { return .finish(.hold(holding(own))) }
        let successor = HandOver.successor(of: own.name, attempt: machine.attempt.next)
        let term = TermMachine(path: path, own: own, successor: successor, session: session)
        var job = StepJob(term, session: session, planted: planted) { [path, kind] node in
            .hold(Self.holding(node, at: path, kind))
        }
        return begin(&job)
    }

    private mutating func settle(_ own: ContenderMachine.Node, _ delay: Duration) -> JobAction {
        let marker = HoldMarker(of: machine.attempt, delay: delay)
        let machine = DelayMachine(
            own: node(own.name.text), marker: node(marker.text), orphans: planted == .forgetsDelay ? [] : orphans,
            below: path, patience: patience)
        var holding = holding(own)
        holding.marker = node(marker.text)
        var job = StepJob(machine, session: session, planted: planted) { [holding] output in
            output == .busy ? .ended(.busy) : .hold(holding)
        }
        // From here on only the own node is watched.
        watchedOwnNode = own.name.text
        return begin(&job)
    }

    private mutating func begin(_ job: inout some Job) -> JobAction {
        // It begins with one request.
        let first = job.handle(.start)[0]
        settling = job
        return first
    }

    /// As `Contenders.takeOver`.
    private mutating func takeOver(_ own: String, from first: String, _ attempt: AttemptID) -> JobAction {
        guard let place = ContenderName(first), let offer = HandOver.offerName(from: first, to: own) else {
            preconditionFailure("\(own) cannot take over from \(first)")
        }
        let name = HandOver.successor(of: place, attempt: attempt)
        expected = .takenOver(name)
        return .request(
            .write([
                .delete(node(offer)), .delete(node(first)), .delete(node(own)),
                .create(node(name), [], mode: .ephemeral), .setData(node(HandOver.dateName), []),
                .setData(node(name), []),
            ]))
    }

    private func holding(_ own: ContenderMachine.Node) -> Holding { Self.holding(own, at: path, kind) }

    private static func holding(_ own: ContenderMachine.Node, at path: String, _ kind: ContenderKind) -> Holding {
        Holding(
            path: path, node: path + "/" + own.name.text, token: own.czxid, isShared: kind.isShared,
            removal: .byName)
    }

    /// The own node, while it is watched.
    var ownNode: String? { watchedOwnNode.map(node) }

    private func node(_ name: String) -> String { path + "/" + name }
}

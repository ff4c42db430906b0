import ConclaveClient
import ConclaveCore

/// The requests and watches of the contender in its queue.
extension QueueingMachine {
    mutating func queue(_ event: StepEvent) -> [StepAction<Output>] {
        if case .removal(let name) = asked { return left(name, event) }
        switch event {
        case .start: return feed(.start)
        case .answered(let answer, let isWindowOpen): return answered(answer, isWindowOpen: isWindowOpen)
        case .failed(let code, _):
            // A look at the line that fails is left out.
            if case .standing = asked { return wait() }
            return feed(.failed(code))
        case .changed(let path):
            // A write to the own node is no news of the queue, but listing again does no harm; that the own node has
            // gone the listing tells.
            if path == watchedPath { watchedNode = nil }
            return feed(.predecessorGone)
        case .elapsed:
            guard case .change = asked else { return [] }
            asked = .standing
            return [.request(.children(plan.path))]
        case .connected: return feed(.connected)
        case .cancelled: return feed(.cancelled)
        case .deadlinePassed: return feed(.deadlinePassed)
        case .sessionOver(let code): return feed(.sessionOver(code))
        }
    }

    private mutating func answered(_ answer: StepAnswer, isWindowOpen: Bool) -> [StepAction<Output>] {
        switch (asked, answer) {
        case (.parents, .done): return feed(.parentsMade)
        case (.creation, .written(let results)):
            guard case .created(let path, let stat?)? = results.first else { return feed(.failed(.protocolViolation)) }
            let name = String(decoding: NodePath(path).name, as: UTF8.self)
            return feed(.created(name: name, czxid: stat.czxid, owner: stat.ephemeralOwner))
        case (.sync, .done):
            asked = .finding
            return [.request(.children(plan.path))]
        case (.finding, .children(let children)):
            return feed(.listed(children.names, isWindowOpen: isWindowOpen))
        case (.ownership, .exists(let stat)):
            guard let stat else { return feed(.ownNodeGone) }
            return feed(.examined(czxid: stat.czxid, owner: stat.ephemeralOwner))
        case (.listing, .children(let children)):
            if case .listing(let own) = contender.state {
                orphans = HoldMarker.orphans(among: children.names)
                isDated = children.names.contains(HandOver.dateName)
                look(at: children.names, from: own.name)
            }
            return feed(.listed(children.names, isWindowOpen: isWindowOpen))
        case (.predecessor(let own), .exists(let stat)):
            guard stat != nil else { return feed(.predecessorGone) }
            guard watchedNode != own else { return wait() }
            asked = .ownNode(own)
            return [.request(.exists(node(own), watch: true))]
        case (.ownNode(let own), .exists(let stat)):
            guard let stat else { return feed(.ownNodeGone) }
            watchedNode = own
            // As made the node has version 0. A leader that handed over between the listing and the watch is heard by
            // neither: listing again tells.
            let listed = ownVersion?.name == own ? ownVersion?.version : 0
            ownVersion = (own, stat.version)
            return stat.version == listed ? wait() : feed(.predecessorGone)
        case (.standing, .children(let children)):
            if case .waiting(let own, _) = contender.state { look(at: children.names, from: own.name) }
            return wait()
        case (.takeover(let name), .written(let results)):
            // The last write tells the facts of the new node, which the create in a transaction does not.
            guard case .dataSet(let stat)? = results.last else { return feed(.failed(.protocolViolation)) }
            return feed(.created(name: name, czxid: stat.czxid, owner: stat.ephemeralOwner))
        default: return []
        }
    }

    private mutating func look(at names: [String], from own: ContenderName) {
        guard plan.lookInterval != nil, let place = QueuePlace(of: own, isShared: plan.isShared, among: names) else {
            return
        }
        position = QueuePosition(ahead: place.ahead, total: names.count { ContenderName($0) != nil })
    }

    private mutating func wait() -> [StepAction<Output>] {
        asked = .change
        return [.wait(upTo: plan.lookInterval)]
    }

    /// A try has left nothing behind when it returns, unless it was cancelled or has lost its connection.
    private mutating func left(_ name: String, _ event: StepEvent) -> [StepAction<Output>] {
        switch event {
        case .answered, .failed(.noNode, _), .sessionOver: finish(.busy)
        case .failed, .cancelled, .deadlinePassed: [.clean([.delete(node(name))])] + finish(.busy)
        case .start, .changed, .elapsed, .connected: []
        }
    }

    // MARK: - What the contender asks for

    mutating func feed(_ event: ContenderMachine.Event) -> [StepAction<Output>] {
        asked = .nothing
        let actions = contender.handle(event)
        if case .remove(let name)? = actions.first, actions.last == .end(.busy) {
            asked = .removal(name)
            return [.request(.write([.delete(node(name))]))]
        }
        return actions.flatMap { perform($0) }
    }

    private mutating func perform(_ action: ContenderMachine.Action) -> [StepAction<Output>] {
        switch action {
        case .makeParents: return ask(.makeParents(plan.path, .container), .parents)
        case .create(let attempt):
            let path = node("_c_\(attempt.text)-\(plan.kind.rawValue)")
            return ask(
                .write([.create(path, plan.identity, mode: .ephemeralSequential, acl: plan.acl)]), .creation)
        case .find: return ask(.sync(plan.path), .sync)
        case .examine(let name): return ask(.exists(node(name)), .ownership)
        case .list: return ask(.children(plan.path), .listing)
        case .wait(let own, let behind): return ask(.exists(node(behind), watch: true), .predecessor(own: own))
        case .awaitConnection: return [.awaitConnection]
        case .takeOver(let own, let first, let attempt): return takeOver(own, from: first, attempt)
        case .remove(let name): return [.clean([.delete(node(name))])]
        case .sweep(let attempt): return [.sweep(below: plan.path, mark: attempt.text)]
        case .grant(let own): return settle(own)
        case .end(let ending): return end(ending)
        }
    }

    private mutating func ask(_ request: StepRequest, _ question: Asked) -> [StepAction<Output>] {
        asked = question
        return [.request(request)]
    }

    /// Takes the place of the first in the queue, who has offered it.
    private mutating func takeOver(
        _ own: String, from first: String, _ attempt: AttemptID
    ) -> [StepAction<Output>] {
        guard let place = ContenderName(first), let offer = HandOver.offerName(from: first, to: own) else {
            return feed(.failed(.protocolViolation))
        }
        let name = HandOver.successor(of: place, attempt: attempt)
        return ask(
            .write([
                .delete(node(offer)), .delete(node(first)), .delete(node(own)),
                .create(node(name), plan.identity, mode: .ephemeral, acl: plan.acl),
                .setData(node(HandOver.dateName), []), .setData(node(name), plan.identity),
            ]), .takeover(name))
    }

    func node(_ name: String) -> String { NodePath.text(of: name, below: plan.path) }
}

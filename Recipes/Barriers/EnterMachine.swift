import ConclaveClient
import ConclaveCore

/// Enters a double barrier: makes the own node, and waits until so many are there.
///
/// ```
/// start ──▶ (sync, list) ──▶ create own ──▶ look at ready ──▶ list ──▶ all there: create ready ──▶ finish
///                                             │ there: finish   │ not yet
///                                             ▲                 └──▶ (watch the first, or all) ──▶ wait
///                                             └──────── changed ──────────────────────────────────┘
/// ```
///
/// With `breaks` the first of those waiting watches all, and all watch the first: whoever finds that a member has gone
/// creates `ready` with the word *broken*, which wakes everybody. Each counts from a listing made before it came
/// (``DepartureCount``), and whoever becomes the first has come before its predecessor saw it: so the counts of the first
/// ones overlap, and no member goes uncounted.
package struct EnterMachine: StepMachine {
    private enum State: Hashable, Sendable {
        case idle
        case catchingUp
        case counting
        case creating
        case makingParents
        case syncing
        case checkingOwn
        case lookingAtReady
        case readingReady
        case listing
        case watchingFirst
        case opening
        case breaking
        case waiting
        case withdrawing
        case disconnected
        case ended
    }

    private let nodes: DoubleBarrierNodes
    private let count: Int
    private let identity: [UInt8]
    private let breaks: Bool
    private let session: SessionID
    private let acl: [ACL]
    private var state = State.idle
    /// Whether the own node may have been made, and whether it has for certain.
    private var hasTried = false
    private var isIn = false
    private var departures: DepartureCount?

    package init(
        nodes: DoubleBarrierNodes, count: Int, identity: [UInt8], breaks: Bool, session: SessionID, acl: [ACL] = .open
    ) {
        self.nodes = nodes
        self.count = count
        self.identity = identity
        self.breaks = breaks
        self.session = session
        self.acl = acl
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Void>] {
        if state == .ended { return [] }
        if let ending = event.ending { return fail(ending) }
        switch (state, event) {
        case (.idle, .start): return begin()
        case (.catchingUp, .answered(.done, _)): return ask(.children(nodes.path), .counting)
        case (.counting, .answered(.children(let children), _)): return begin(after: children)
        case (.counting, .failed(.noNode, _)): return begin(after: nil)
        case (.makingParents, .answered(.done, _)): return create()
        case (.creating, .answered(.written, _)): return entered()
        case (.creating, .failed(.nodeExists, _)): return ask(.exists(nodes.own), .checkingOwn)
        case (.creating, .failed(.noNode, _)):
            return ask(.makeParents(nodes.path, .container), .makingParents)
        case (.syncing, .answered(.done, _)): return ask(.exists(nodes.own), .checkingOwn)
        case (.checkingOwn, .answered(.exists(let stat), _)):
            guard let stat else { return create() }
            return stat.ephemeralOwner == session ? entered() : fail(StepFailure(.nodeExists, at: nodes.own))
        case (.lookingAtReady, .answered(.exists(let stat), _)):
            guard stat != nil else { return list() }
            return breaks ? ask(.data(nodes.ready), .readingReady) : end(.finish(()))
        case (.readingReady, .answered(.data(let node), _)):
            return node.bytes == DoubleBarrierNodes.broken ? withdraw() : end(.finish(()))
        // The others have passed and left; the last of them took it away.
        case (.readingReady, .failed(.noNode, _)): return end(.finish(()))
        case (.listing, .answered(.children(let children), _)): return listed(children)
        case (.watchingFirst, .answered(.exists(let stat), _)): return stat == nil ? breakUp() : wait()
        case (.opening, .answered(.written, _)): return end(.finish(()))
        case (.breaking, .answered(.written, _)), (.opening, .failed(.nodeExists, _)),
            (.breaking, .failed(.nodeExists, _)):
            return lookAtReady()
        case (.waiting, .changed(nodes.ready)):
            // It was not there before, so it has been made. It may have gone again: kazoo's members delete it first.
            return breaks ? ask(.data(nodes.ready), .readingReady) : end(.finish(()))
        // A member has gone, or one has come: what the list says counts, if ready is not there.
        case (.waiting, .changed): return lookAtReady()
        case (.withdrawing, .answered(.written, _)), (.withdrawing, .failed(.noNode, _)):
            return end(.fail(StepFailure(.barrierBroken)))
        case (.withdrawing, .failed): return fail(StepFailure(.barrierBroken))
        case (.disconnected, .connected):
            if isIn { return lookAtReady() }
            return hasTried ? ask(.sync(nodes.path), .syncing) : begin()
        case (_, .failed(let code, let path)):
            guard code.isWorthReconnecting else { return fail(StepFailure(code, at: path)) }
            state = .disconnected
            return [.awaitConnection]
        default: return []
        }
    }

    // MARK: - Steps

    private mutating func ask(_ request: StepRequest, _ next: State) -> [StepAction<Void>] {
        state = next
        return [.request(request)]
    }

    private mutating func begin() -> [StepAction<Void>] {
        // A server that is behind would tell of losses that are those of an earlier round.
        breaks ? ask(.sync(nodes.path), .catchingUp) : create()
    }

    private mutating func begin(after before: Children?) -> [StepAction<Void>] {
        // Those who are in leave when they like; if they do, counting begins with the next listing.
        let isOpen = before?.names.contains(DoubleBarrierNodes.readyName) ?? false
        departures = isOpen ? nil : DepartureCount(before)
        return create()
    }

    private mutating func create() -> [StepAction<Void>] {
        hasTried = true
        return ask(.write([.create(nodes.own, identity, mode: .ephemeral, acl: acl)]), .creating)
    }

    private mutating func entered() -> [StepAction<Void>] {
        isIn = true
        return lookAtReady()
    }

    private mutating func lookAtReady() -> [StepAction<Void>] {
        ask(.exists(nodes.ready, watch: true), .lookingAtReady)
    }

    private mutating func list() -> [StepAction<Void>] {
        // Only the first needs to be told of every change; until the list says who that is, nobody is.
        ask(.children(nodes.path, watch: isGuard), .listing)
    }

    /// Whether the own node was the first in the last list.
    private var isGuard = false

    private mutating func listed(_ children: Children) -> [StepAction<Void>] {
        // Whoever opened the barrier has done so since ready was looked at; its watch tells.
        if children.names.contains(DoubleBarrierNodes.readyName) { return lookAtReady() }
        let members = DoubleBarrierNodes.members(children.names)
        guard members.contains(nodes.member) else {
            return fail(StepFailure(.holdLost, at: nodes.own, message: "somebody has removed the member's node"))
        }
        if breaks {
            let baseline = departures ?? DepartureCount(children)
            departures = baseline
            if baseline.hasLost(children) { return breakUp() }
        }
        if members.count >= count {
            return ask(.write([.create(nodes.ready, [], mode: .persistent, acl: acl)]), .opening)
        }
        guard breaks else { return wait() }
        guard let first = members.first, first != nodes.member else {
            if isGuard { return wait() }
            isGuard = true
            return list()
        }
        isGuard = false
        return ask(.exists(nodes.node(first), watch: true), .watchingFirst)
    }

    private mutating func breakUp() -> [StepAction<Void>] {
        ask(.write([.create(nodes.ready, DoubleBarrierNodes.broken, mode: .persistent, acl: acl)]), .breaking)
    }

    /// Goes before it says that the barrier is broken: what goes afterwards might break the next attempt.
    private mutating func withdraw() -> [StepAction<Void>] {
        ask(.write([.delete(nodes.own, version: nil)]), .withdrawing)
    }

    private mutating func wait() -> [StepAction<Void>] {
        state = .waiting
        return [.wait(upTo: nil)]
    }

    private mutating func end(_ action: StepAction<Void>) -> [StepAction<Void>] {
        state = .ended
        return [action]
    }

    /// The own node goes; whether it was made need not be known.
    private mutating func fail(_ failure: StepFailure) -> [StepAction<Void>] {
        state = .ended
        return [.sweep(below: nodes.path, mark: nodes.member), .fail(failure)]
    }
}

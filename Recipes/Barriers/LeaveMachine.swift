import ConclaveClient
import ConclaveCore

/// Leaves a double barrier: removes the own node, and waits until the others that were in have removed theirs.
///
/// ```
/// start ──▶ list ──▶ alone: delete own and ready ──▶ finish
///             ▲  ├─▶ first: watch the last ──▶ wait ──▶ list
///             │  └─▶ else: delete own ──▶ watch the first ──▶ wait ──┐
///             └──────────────────────────────────────────────────────┘
/// ```
///
/// The first stays until it is alone, so that all others wait for one node; so do Curator's and kazoo's members. Only
/// those are waited for who were in when this member began to leave: who comes later is in the next round.
package struct LeaveMachine: StepMachine {
    private enum State: Hashable, Sendable {
        case idle
        case listing
        case deletingOwn
        case deletingReady
        case deletingLast(withReady: Bool)
        case watching
        case waiting
        case disconnected
        case ended
    }

    private let nodes: DoubleBarrierNodes
    private var state = State.idle
    /// Those who were in at the beginning, this member too.
    private var known: Set<String>?

    package init(nodes: DoubleBarrierNodes) { self.nodes = nodes }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Void>] {
        if state == .ended { return [] }
        if let ending = event.ending {
            state = .ended
            return [.sweep(below: nodes.path, mark: nodes.member), .fail(ending)]
        }
        switch (state, event) {
        case (.idle, .start), (.waiting, .changed), (.disconnected, .connected),
            (.deletingOwn, .answered(.written, _)), (.deletingOwn, .failed(.noNode, _)),
            (.watching, .answered(.exists(nil), _)):
            return ask(.children(nodes.path), .listing)
        case (.listing, .answered(.children(let children), _)): return listed(children.names)
        // The last one has left, and the server has removed the empty container.
        case (.listing, .failed(.noNode, _)): return finish()
        case (.watching, .answered(.exists, _)):
            state = .waiting
            return [.wait(upTo: nil)]
        case (.deletingLast(withReady: true), .failed(.noNode, nodes.ready)):
            return ask(.write([.delete(nodes.own, version: nil)]), .deletingLast(withReady: false))
        case (.deletingLast, .answered(.written, _)), (.deletingLast, .failed(.noNode, _)),
            (.deletingReady, .answered(.written, _)), (.deletingReady, .failed(.noNode, _)):
            return finish()
        case (_, .failed(let code, let path)):
            guard code.isWorthReconnecting else {
                state = .ended
                return [.sweep(below: nodes.path, mark: nodes.member), .fail(StepFailure(code, at: path))]
            }
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

    private mutating func listed(_ children: [String]) -> [StepAction<Void>] {
        let isReady = children.contains(DoubleBarrierNodes.readyName)
        let members = DoubleBarrierNodes.members(children)
        let others = known ?? Set(members)
        known = others
        let remaining = members.filter(others.contains)
        guard let first = remaining.first, let last = remaining.last else {
            // Nobody is there who could take it away, and nobody has come for whom it is.
            return isReady && members.isEmpty
                ? ask(.write([.delete(nodes.ready, version: nil)]), .deletingReady) : finish()
        }
        guard remaining.contains(nodes.member) else { return watch(first) }
        if remaining.count == 1 {
            let own = Operation.delete(nodes.own, version: nil)
            let operations = isReady ? [own, .delete(nodes.ready, version: nil)] : [own]
            return ask(.write(operations), .deletingLast(withReady: isReady))
        }
        if first == nodes.member { return watch(last) }
        return ask(.write([.delete(nodes.own, version: nil)]), .deletingOwn)
    }

    private mutating func watch(_ name: String) -> [StepAction<Void>] {
        ask(.exists(nodes.node(name), watch: true), .watching)
    }

    private mutating func finish() -> [StepAction<Void>] {
        state = .ended
        return [.finish(())]
    }
}

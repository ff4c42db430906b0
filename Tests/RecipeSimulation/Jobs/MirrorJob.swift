import ConclaveClient
import ConclaveCore
import ConclaveSimulator
import Recipes

/// Copies a tree for as long as its session lives: the real `MirrorMachine`, and around it what `CacheShell` and
/// `CacheReader` do with one-shot watches, look by look.
struct MirrorJob: Job {
    private struct Watched: Hashable, Sendable {
        let path: String
        let isForChildren: Bool
    }

    private enum Asked: Sendable {
        case data
        case existence
        case children(NodeData)
    }

    let root: String
    private var machine: MirrorMachine
    private var looks: ArraySlice<MirrorMachine.Look> = []
    private var findings: [MirrorMachine.Finding] = []
    private var asked = Asked.data
    private var armed: Set<Watched> = []
    private let meddler: Meddler

    init(_ root: String, session: SessionID, planted: RecipeBug?) {
        self.root = root
        machine = MirrorMachine(root: root, scope: .subtree, limits: CacheLimits(), isOneShot: true)
        meddler = Meddler(planted, session: session)
    }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        switch event {
        case .start, .connected: return feed(.armed)
        case .changed(let path):
            armed.remove(Watched(path: path, isForChildren: false))
            armed.remove(Watched(path: path, isForChildren: true))
            return feed(.noticed([path]))
        case .answered(let answer, _): return answered(answer)
        case .failed(.noNode, _): return missing()
        case .failed(let code, let path):
            guard code.isWorthReconnecting else { return [.finish(.refused(code, at: path))] }
            looks = []
            return tell(machine.handle(.disconnected)) + [.awaitConnection]
        case .sessionOver(let code): return [.finish(.refused(code, at: root))]
        case .cancelled, .deadlinePassed: return [.finish(.refused(.cancelled, at: root))]
        case .elapsed: return []
        }
    }

    // MARK: The machine

    private mutating func feed(_ event: MirrorMachine.Event) -> [JobAction] {
        let actions = machine.handle(event)
        for case .read(let batch) in actions {
            looks = batch[...]
            findings = []
            return tell(actions) + look()
        }
        return tell(actions) + [.wait(upTo: nil)]
    }

    private func tell(_ actions: [MirrorMachine.Action]) -> [JobAction] {
        let changes = actions.filter { action in
            switch action {
            case .added, .changed, .removed: true
            case .read, .becameCurrent, .becameStale, .overflowed: false
            }
        }
        return changes.isEmpty ? [] : [.tell(.mirrored(root, changes))]
    }

    // MARK: Looks

    private mutating func look() -> [JobAction] {
        guard let look = looks.first else { return feed(.read(findings)) }
        asked = .data
        return ask(.data(look.path, watch: isToArm(look.path)))
    }

    private func ask(_ request: StepRequest) -> [JobAction] { [.request(meddler.changed(request))] }

    private func isToArm(_ path: String, children: Bool = false) -> Bool {
        !armed.contains(Watched(path: path, isForChildren: children))
    }

    private mutating func answered(_ answer: StepAnswer) -> [JobAction] {
        guard let look = looks.first else { return [] }
        switch (asked, answer) {
        case (.data, .data(let node)):
            armed.insert(Watched(path: look.path, isForChildren: false))
            guard look.listsChildren else { return found(node, nil) }
            asked = .children(node)
            return ask(.children(look.path, watch: isToArm(look.path, children: true)))
        case (.existence, .exists(let stat)):
            armed.insert(Watched(path: look.path, isForChildren: false))
            guard stat == nil else { return self.look() }
            return found(nil, nil)
        case (.children(let node), .children(let children)):
            armed.insert(Watched(path: look.path, isForChildren: true))
            return found(node, children.names)
        default: return []
        }
    }

    /// Only the root is waited for; the listing of its parent tells of every other node.
    private mutating func missing() -> [JobAction] {
        guard let look = looks.first else { return [] }
        guard look.path == root, case .data = asked else { return found(nil, nil) }
        guard isToArm(root) else { return found(nil, nil) }
        asked = .existence
        return ask(.exists(root, watch: true))
    }

    private mutating func found(_ node: NodeData?, _ children: [String]?) -> [JobAction] {
        looks = looks.dropFirst()
        findings.append(node.map { .found($0, children: children) } ?? .missing)
        return look()
    }
}

/// Those who change the tree that is copied.
extension RecipeClient {
    mutating func growth(_ place: Scenario.Place, _ world: inout World) -> any Job {
        var path = place.path
        for _ in 0..<world.random.below(3) { path += "/n\(world.random.index(below: place.meeting))" }
        let (isRoot, dice) = (path == place.path, world.random.below(10))
        if isRoot, dice < 5 { return SingleRequestJob(request: .makeParents(path, .persistent)) }
        let value = Array(path.utf8) + [UInt8(truncatingIfNeeded: world.random.next())]
        let operation: Operation =
            switch dice {
            case 0..<5: .create(path, value, mode: world.random.chance(perMille: 300) ? .ephemeral : .persistent)
            case 5..<8: .setData(path, value)
            default: .delete(path)
            }
        return SingleRequestJob(request: .write([operation]))
    }
}

import ConclaveClient
import ConclaveCore
import Recipes

/// One attempt through sequential nodes: the real `QueueingMachine`, with the mistakes that can be planted in it.
struct ContenderJob: Job {
    private var job: StepJob<QueueingMachine>
    private let path: String
    let kind: ContenderKind
    private let planted: RecipeBug?
    private let session: SessionID
    // Only for planted bugs.
    private var lastNames: [String] = []
    private var own: ContenderMachine.Node?

    init(
        at path: String, _ kind: ContenderKind, attempt: AttemptID, delay: Duration?, session: SessionID,
        patience: AttemptPatience, planted: RecipeBug?
    ) {
        self.path = path
        self.kind = kind
        self.planted = planted
        self.session = session
        let plan = QueueingMachine.Plan(path: path, kind: kind, patience: patience, delay: delay)
        let machine = QueueingMachine(plan, attempt: attempt, session: session)
        job = StepJob(machine, session: session, planted: planted) { output in
            guard case .place(let place) = output else { return .ended(.busy) }
            return .hold(Self.holding(place.node, marker: place.marker, at: path, kind))
        }
    }

    /// The path of the own node, while it is watched.
    var ownNode: String? { job.machine.watchedPath }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        guard planted != nil else { return job.handle(event) }
        if planted == .takesEventForGrant, case .changed = event, let own {
            return [.finish(.hold(Self.holding(own, marker: nil, at: path, kind)))]
        }
        var result: [JobAction] = []
        for action in job.handle(changed(event)) {
            switch action {
            case .request(.sync) where planted == .looksWithoutSync:
                result += handle(.answered(.done, isWindowOpen: true))
            case .request(.exists(let behind, watch: true)) where planted == .watchesFirst && behind != own.map(node):
                let first = lastNames.compactMap(ContenderName.init).min()?.text
                result.append(.request(.exists(first.map { path + "/" + $0 } ?? behind, watch: true)))
            default: result.append(action)
            }
        }
        return result
    }

    private func node(_ own: ContenderMachine.Node) -> String { path + "/" + own.name.text }

    private mutating func changed(_ event: StepEvent) -> StepEvent {
        guard case .answered(let answer, let isWindowOpen) = event else { return event }
        switch answer {
        case .written(let results):
            if case .created(let made, let stat?)? = results.first,
                let name = ContenderName(RecipeHistory.name(of: made))
            {
                own = .init(name: name, czxid: stat.czxid)
            }
            return event
        case .children(let children):
            lastNames = children.names
            let names = children.names.filter { name in
                switch planted {
                case .readsPastWriters: kind != .read || !name.contains("__WRIT__")
                case .keepsOldTerm: name != HandOver.dateName
                case .forgetsDelay: HoldMarker(name) == nil
                default: true
                }
            }
            return .answered(.children(Children(names: names, stat: children.stat)), isWindowOpen: isWindowOpen)
        default: return event
        }
    }

    private static func holding(
        _ own: ContenderMachine.Node, marker: String?, at path: String, _ kind: ContenderKind
    ) -> Holding {
        var holding = Holding(
            path: path, node: path + "/" + own.name.text, token: own.czxid, isShared: kind.isShared, removal: .byName)
        holding.marker = marker
        return holding
    }
}

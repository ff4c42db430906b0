import ClusterSimulation
import ConclaveClient
import ConclaveCore
import ConclaveSimulator
import Recipes

/// Producers, takers and consumers of queues.
extension RecipeClient {
    mutating func queueing(
        _ id: AttemptID, _ place: Scenario.Place, _ patience: AttemptPatience, _ world: inout World
    ) -> any Job {
        let nodes = QueueNodes(items: place.path)
        let dice = world.random.below(100)
        if dice < 50 { return put(id, place, patience, &world) }
        if dice < 75 {
            return take(id, place, patience, &world)
        }
        return QueueGetJob(
            .claim(Array(id.text.utf8)), nodes: nodes, count: 1, number: 0, session: session.session,
            patience: patience, seed: world.random.next(), planted: planted)
    }

    private mutating func put(
        _ id: AttemptID, _ place: Scenario.Place, _ patience: AttemptPatience, _ world: inout World
    ) -> any Job {
        let nodes = QueueNodes(items: place.path)
        var payload = ByteWriter()
        payload.writeInt64(Int64(truncatingIfNeeded: world.random.next()))
        let number = journal.puts.count
        journal.puts.append(.init(path: nodes.items, attempt: id.start, payload: payload.bytes))
        return QueuePutJob(
            payload.bytes, to: nodes, capacity: place.capacity, mark: takeMark(nodes, &world), attempt: id,
            number: number, session: session.session, patience: patience, planted: planted)
    }

    private mutating func take(
        _ id: AttemptID, _ place: Scenario.Place, _ patience: AttemptPatience, _ world: inout World
    ) -> any Job {
        let nodes = QueueNodes(items: place.path)
        let number = journal.takes.count
        journal.takes.append(.init(path: place.path, attempt: id.start))
        return QueueGetJob(
            .take(takeMark(nodes, &world), id), nodes: nodes, count: 1 + world.random.index(below: place.limit),
            number: number, session: session.session, patience: patience, seed: world.random.next(),
            planted: planted)
    }

    /// For everybody of this client who waits at the end there are as many items more as another may take at once.
    mutating func feedThoseWhoWait(_ world: inout World) {
        for case .attempting(let number, _, _) in actors {
            guard let waiting = jobs.first(where: { $0.number == number })?.job as? QueueGetJob else { continue }
            guard let place = scenario.places.first(where: { $0.path == waiting.nodes.items }) else { continue }
            for _ in 0..<place.limit {
                let id = AttemptID(high: world.random.next(), low: world.random.next())
                start(put(id, place, .once, &world), .background, &world)
            }
        }
        for case .attempting(let number, _, _) in actors {
            guard let waiting = jobs.first(where: { $0.number == number })?.job as? QueuePutJob,
                let place = scenario.places.first(where: { $0.path == waiting.nodes.items }), place.capacity != nil
            else { continue }
            let id = AttemptID(high: world.random.next(), low: world.random.next())
            start(take(id, place, .once, &world), .background, &world)
        }
    }

    /// Whether somebody waits at the end whom another one who waits may have left empty-handed.
    var isAnyoneToBeFed: Bool {
        jobs.contains { running in
            guard case .attempt = running.purpose else { return false }
            let nodes = (running.job as? QueueGetJob)?.nodes ?? (running.job as? QueuePutJob)?.nodes
            return scenario.places.contains { $0.capacity != nil && $0.path == nodes?.items }
        }
    }

    mutating func settle(_ report: QueueReport) {
        switch report.got {
        case .put: journal.puts[report.number].isPut = true
        case .taken(let payloads): journal.takes[report.number].payloads = payloads
        case .nothing: journal.takes[report.number].payloads = []
        case .noRoom: break
        }
        if let mark = report.mark { queueMarks.append(mark) }
    }

    private mutating func takeMark(_ nodes: QueueNodes, _ world: inout World) -> QueueMark {
        if let place = queueMarks.firstIndex(where: { RecipeHistory.parent(of: $0.path) == nodes.marks }) {
            return queueMarks.remove(at: place)
        }
        let id = AttemptID(high: world.random.next(), low: world.random.next())
        return QueueMark(path: nodes.marks + "/" + id.text)
    }

    /// What takes an item out of the queue for which its consumer has done the work.
    func finishing(_ holding: Holding) -> [Operation] {
        guard case .underVersion(let version, let item) = holding.removal,
            scenario.places.contains(where: { $0.path == holding.path && $0.isQueueOfItems })
        else { return [] }
        return planted == .finishesBlindly
            ? [.delete(item)] : [.delete(holding.node), .delete(item, version: version)]
    }
}

extension AttemptID {
    /// What the ids of one job have in common.
    var start: String { String(text.prefix(18)) }
}

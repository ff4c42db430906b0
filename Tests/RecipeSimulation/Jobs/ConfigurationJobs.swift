import ClusterSimulation
import ConclaveClient
import ConclaveCore
import ConclaveSimulator
import Recipes

/// Those who publish a value: the real `PublishMachine`, with any expectation.
extension RecipeClient {
    mutating func publication(_ place: Scenario.Place, _ world: inout World) -> any Job {
        let number = journal.publications.count
        var value = ByteWriter()
        value.writeInt64(Int64(truncatingIfNeeded: world.random.next()))
        let expected: PublishMachine.Expected =
            switch world.random.below(10) {
            case 0: .nothing
            case 1..<5: .version(journal.sightings.last { $0.path == place.path }?.sighting.stat.version ?? 0)
            default: .anything
            }
        journal.publications.append(.init(path: place.path, value: value.bytes, expected: expected))
        let machine = PublishMachine(value.bytes, at: place.path, expecting: expected, limit: place.historyLimit)
        return StepJob(machine, session: session.session, planted: planted) { .published(number, $0) }
    }
}

/// Follows a value for as long as its session lives, as `Configuration.Updates` does: the real `RevisionTracker`.
struct SubscribingJob: Job {
    let path: String
    private var tracker = RevisionTracker()
    private let meddler: Meddler

    init(_ path: String, session: SessionID, planted: RecipeBug?) {
        self.path = path
        meddler = Meddler(planted, session: session)
    }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        switch event {
        case .start, .changed, .connected: return look()
        case .answered(.data(let node), _):
            guard case .new(let skipped, let isNewNode) = tracker.look(node.stat) else { return [.wait(upTo: nil)] }
            let sighting = Sighting(value: node.bytes, stat: node.stat, skipped: skipped, isNewNode: isNewNode)
            return [.tell(.sighted(path, sighting)), .wait(upTo: nil)]
        case .answered(.exists(let stat), _): return stat == nil ? [.wait(upTo: nil)] : look()
        case .failed(.noNode, _): return [.request(.exists(path, watch: true))]
        case .failed(let code, let refused):
            return code.isWorthReconnecting ? [.awaitConnection] : [.finish(.refused(code, at: refused))]
        case .answered, .elapsed: return []
        case .sessionOver(let code): return [.finish(.refused(code, at: path))]
        case .cancelled, .deadlinePassed: return [.finish(.refused(.cancelled, at: path))]
        }
    }

    private func look() -> [JobAction] { [.request(meddler.changed(.data(path, watch: true)))] }
}

/// A revision as a subscriber was told it.
struct Sighting: Sendable {
    let value: [UInt8]
    let stat: Stat
    let skipped: Int
    let isNewNode: Bool
}

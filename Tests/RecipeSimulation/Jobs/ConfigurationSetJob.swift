import ClusterSimulation
import ConclaveClient
import ConclaveCore
import ConclaveSimulator
import Recipes

/// Reads a set of values, and changes it if it is to: the real machines, and around them what `ConfigurationSet` does.
struct ConfigurationSetJob: Job {
    private enum Stage: Sendable {
        case reading(StepJob<SnapshotMachine>)
        case switching(StepJob<SwitchMachine>)
    }

    /// How many versions are kept.
    private static let kept = 3

    private let path: String
    private let isReader: Bool
    private let session: SessionID
    private let planted: RecipeBug?
    private var random: SeededRandom
    private var stage: Stage?

    init(_ path: String, isReader: Bool, session: SessionID, seed: UInt64, planted: RecipeBug?) {
        self.path = path
        self.isReader = isReader
        self.session = session
        self.planted = planted
        random = SeededRandom(seed: seed)
    }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        switch stage {
        case nil: return read()
        case .reading(var job):
            let actions = job.handle(event)
            stage = .reading(job)
            return follow(actions)
        case .switching(var job):
            let actions = job.handle(event)
            stage = .switching(job)
            return follow(actions)
        }
    }

    private mutating func follow(_ actions: [JobAction]) -> [JobAction] {
        var result: [JobAction] = []
        for action in actions {
            switch action {
            case .finish(.snapshot(let path, let reading)):
                if let reading { result.append(.tell(.snapshot(path, reading))) }
                result += isReader ? [.finish(.done)] : change(reading)
            case .finish(.switched(let path, .published(let reading, let known))):
                for number in known.dropFirst(Self.kept - 1) {
                    let removal = VersionRemoval(of: number, at: path)
                    result.append(.background(StepJob(removal, session: session, planted: planted) { .done }))
                }
                result += [.tell(.snapshot(path, reading)), action]
            case .finish(.switched(_, .beaten)): result += read()
            default: result.append(action)
            }
        }
        return result
    }

    private mutating func read() -> [JobAction] {
        let path = path
        var job = StepJob(SnapshotMachine(at: path), session: session, planted: planted) { .snapshot(path, $0) }
        let actions = job.handle(.start)
        stage = .reading(job)
        return follow(actions)
    }

    /// Sets one key to a value that is nobody else's, and takes out another one now and then.
    private mutating func change(_ reading: SnapshotMachine.Reading?) -> [JobAction] {
        var values = reading?.values ?? [:]
        if random.chance(perMille: 200) { values["k\(random.below(4))"] = nil }
        var value = ByteWriter()
        value.writeInt64(Int64(truncatingIfNeeded: random.next()))
        values["k\(random.below(4))"] = value.bytes
        let (path, base) = (path, reading.map { ($0.number, $0.pointer.version) })
        let machine = SwitchMachine(values, at: path, over: base)
        var job = StepJob(machine, session: session, planted: planted) { .switched(path, $0) }
        let actions = job.handle(.start)
        stage = .switching(job)
        return [.tell(.switching(path, values, over: reading?.pointer.mzxid ?? .zero))] + follow(actions)
    }
}

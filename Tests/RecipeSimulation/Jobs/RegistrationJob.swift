import ConclaveClient
import ConclaveCore
import ConclaveSimulator
import Recipes

/// Registers an instance of a service and keeps it up for as long as the session lives, as `ServiceRegistration` does: the
/// real `RegistrationMachine`. Whoever is replaced comes back a few times.
struct RegistrationJob: Job {
    let path: String
    private let data: [UInt8]
    private let session: SessionID
    private let planted: RecipeBug?
    private var job: StepJob<RegistrationMachine>
    private var random: SeededRandom
    private var isResting = false
    private var returns = 3

    init(at path: String, session: SessionID, seed: UInt64, planted: RecipeBug?) {
        self.path = path
        self.session = session
        self.planted = planted
        random = SeededRandom(seed: seed)
        var writer = ByteWriter()
        writer.writeInt64(session.rawValue)
        data = writer.bytes
        job = Self.job(path, data, session, planted, isStanding: false)
    }

    private static func job(
        _ path: String, _ data: [UInt8], _ session: SessionID, _ planted: RecipeBug?, isStanding: Bool
    ) -> StepJob<RegistrationMachine> {
        let machine = RegistrationMachine(at: path, data: data, session: session, isStanding: isStanding)
        return StepJob(machine, session: session, planted: planted) { .registration(path, $0) }
    }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        if isResting {
            guard event.ending == nil else { return [.finish(.done)] }
            // Also when a watch from before fires.
            isResting = false
            return begin(isStanding: false)
        }
        return follow(job.handle(event))
    }

    private mutating func begin(isStanding: Bool) -> [JobAction] {
        job = Self.job(path, data, session, planted, isStanding: isStanding)
        return follow(job.handle(.start))
    }

    private mutating func follow(_ actions: [JobAction]) -> [JobAction] {
        actions.flatMap { action -> [JobAction] in
            switch action {
            case .finish(.registration(_, .created)):
                return [.tell(.registration(path, .created))] + begin(isStanding: true)
            case .finish(.registration(_, .replaced)):
                let told = JobAction.tell(.registration(path, .replaced))
                guard returns > 0 else { return [told, .finish(.done)] }
                returns -= 1
                isResting = true
                return [told, .wait(upTo: .milliseconds(random.between(10...500)))]
            // The node went again while it was being made: looked at anew.
            case .finish(.refused(.noNode, _)): return begin(isStanding: true)
            case .finish(.refused): return [.tell(.registration(path, .replaced)), action]
            default: return [action]
            }
        }
    }
}

/// Those who remove registrations by hand.
extension RecipeClient {
    mutating func meddling(_ place: Scenario.Place, _ world: inout World) -> (any Job)? {
        guard world.random.chance(perMille: 50) else { return nil }
        return SingleRequestJob(request: .write([.delete(place.path + "/s\(world.random.index(below: place.limit))")]))
    }
}

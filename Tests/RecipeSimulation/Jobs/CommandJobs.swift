import ClusterSimulation
import ConclaveClient
import ConclaveCore
import ConclaveSimulator
import Recipes

/// The nodes of a channel of commands.
struct CommandNodes {
    let commands: String
    let clients: String
    /// What the commands change: one child for each client and command.
    let effects: String

    init(at path: String) {
        commands = path + "/commands"
        clients = path + "/clients"
        effects = path + "/effects"
    }
}

/// Carries out commands for as long as the session lives, as `CommandChannel.run` does: the real `CommandMachine`.
struct CommandJob: Job {
    let path: String
    private let name: String
    private let session: SessionID
    private let planted: RecipeBug?
    private var machine: CommandMachine
    private var random: SeededRandom
    private var given: Command?
    private var isResting = false

    init(_ path: String, as name: String, session: SessionID, seed: UInt64, planted: RecipeBug?) {
        self.path = path
        self.name = name
        self.session = session
        self.planted = planted
        random = SeededRandom(seed: seed)
        machine = Self.machine(path, name)
    }

    private static func machine(_ path: String, _ name: String) -> CommandMachine {
        let nodes = CommandNodes(at: path)
        return CommandMachine(commands: nodes.commands, clients: nodes.clients, client: name, startsWithOldest: true)
    }

    mutating func handle(_ event: StepEvent) -> [JobAction] {
        switch event {
        case .elapsed where isResting:
            // As a service does that is started again.
            isResting = false
            machine = Self.machine(path, name)
            return follow(machine.handle(.start))
        case .elapsed, .changed:
            guard let done = given else { break }
            given = nil
            let effect = CommandNodes(at: path).effects + "/\(name)-\(done.number)-"
            machine.finished(with: [], operations: [.create(effect, [], mode: .persistentSequential)])
            return follow(machine.handle(.start))
        case .answered, .failed, .connected, .start, .sessionOver, .cancelled, .deadlinePassed: break
        }
        return isResting ? [] : follow(machine.handle(event))
    }

    private mutating func follow(_ actions: [StepAction<Command>]) -> [JobAction] {
        actions.flatMap { action -> [JobAction] in
            switch action {
            case .request(let request): return [.request(request)]
            case .wait(let limit): return [.wait(upTo: limit)]
            case .awaitConnection: return [.awaitConnection]
            case .finish(let command):
                given = command
                return [.tell(.commanded(path, told(command))), .wait(upTo: .milliseconds(random.below(20)))]
            case .fail(let failure):
                guard !failure.code.endsSession, failure.code != .cancelled else {
                    return [.finish(.refused(failure.code, at: failure.path))]
                }
                isResting = true
                return [.wait(upTo: .milliseconds(50))]
            case .clean, .sweep, .disown: preconditionFailure("who carries out commands leaves nothing behind")
            }
        }
    }

    private func told(_ command: Command) -> Command {
        guard planted == .takesRepetitionForNew else { return command }
        return Command(
            number: command.number, data: command.data, publishedMilliseconds: command.publishedMilliseconds,
            isRepeated: false, missed: command.missed)
    }
}

extension RecipeClient {
    /// Publishes a command: the real `CommandPublication`. Not many: every client carries out each.
    mutating func order(_ id: AttemptID, _ place: Scenario.Place, _ world: inout World) -> (any Job)? {
        guard journal.orders.count < 15, world.random.chance(perMille: 50) else { return nil }
        let number = journal.orders.count
        journal.orders.append(.init(path: place.path, attempt: id.text))
        let machine = CommandPublication(parent: CommandNodes(at: place.path).commands, attempt: id, data: [])
        return StepJob(machine, session: session.session, planted: planted) { .ordered(number, $0.sequence) }
    }

    /// The client's name among those that carry out commands: a client that was killed comes back under it.
    var commandName: String { "c\(journal.process)" }
}

import ConclaveClient
import ConclaveCore
import ConclaveSimulator
import Recipes

/// Those who close, open and pass gates, and those who count latches down and wait for them.
extension RecipeClient {
    mutating func gate(_ place: Scenario.Place, _ world: inout World) -> any Job {
        let dice = world.random.below(100)
        if dice < 35 { return gate(.close([], whileSessionLasts: world.random.chance(perMille: 500)), place) }
        if dice < 60 { return gate(.open, place) }
        return gate(.pass, place)
    }

    private mutating func gate(_ goal: GateMachine.Goal, _ place: Scenario.Place) -> any Job {
        let machine = GateMachine(path: place.path, goal: goal)
        guard goal == .pass else {
            return StepJob(machine, session: session.session, planted: planted) { _ in .done }
        }
        let number = journal.waits.count
        journal.waits.append(.init(path: place.path, from: session.lastAnswer))
        var job = StepJob(machine, session: session.session, planted: planted) { _ in .waited(number) }
        job.subject = place.path
        return job
    }

    mutating func latch(_ id: AttemptID, _ place: Scenario.Place, _ world: inout World) -> any Job {
        guard world.random.chance(perMille: 600) else { return latchWait(place) }
        // Some by a name that others count by too, some by one of their own.
        let isNamed = world.random.chance(perMille: 500)
        return count(as: isNamed ? "name-\(world.random.index(below: place.meeting))" : id.text, place)
    }

    private mutating func latchWait(_ place: Scenario.Place) -> any Job {
        let number = journal.waits.count
        journal.waits.append(.init(path: place.path, from: session.lastAnswer))
        let machine = LatchMachine(path: place.path, count: place.meeting, goal: .wait)
        var job = StepJob(machine, session: session.session, planted: planted) { _ in .waited(number) }
        job.subject = place.path
        return job
    }

    private mutating func count(as name: String, _ place: Scenario.Place) -> any Job {
        let number = journal.counts.count
        journal.counts.append(.init(path: place.path, name: name, from: session.lastAnswer))
        let machine = LatchMachine(path: place.path, count: place.meeting, goal: .countDown(name))
        return StepJob(machine, session: session.session, planted: planted) { .countedDown(number, left: $0) }
    }

    mutating func waited(_ outcome: Outcome) {
        switch outcome {
        case .waited(let number): journal.waits[number].until = session.lastAnswer
        case .countedDown(let number, let left):
            journal.counts[number].left = left
            journal.counts[number].until = session.lastAnswer
        default: break
        }
    }

    /// What lets through, at the end, whoever waits there.
    mutating func relief(at place: Scenario.Place, _ world: inout World) -> [any Job] {
        switch place.family {
        case .gate: return [gate(.open, place)]
        case .latch:
            return (0..<place.meeting).map { _ in
                count(as: AttemptID(high: world.random.next(), low: world.random.next()).text, place)
            }
        default: return []
        }
    }
}

import Recipes

/// A recipe that clients use in a run.
package enum RecipeFamily: String, CaseIterable, Sendable {
    case lock
    /// A lock after whose abnormal loss the next holder has to wait.
    case delayedLock
    case firstCome
    case readWrite
    case election
    case semaphore
    case multiLock
    case workerSlots
    case counter
    case group
    case queue
    /// A queue that has room for so many items.
    case boundedQueue
    case doubleBarrier
    case countBarrier
    case gate
    case latch
    case configuration
    case configurationSet
    /// A copy of a tree, in step with it.
    case mirror
    case commands
    case services
    /// Shares of work that an elected member assigns to members.
    case partition

    /// Those who wait stand in a queue of sequential nodes, in which each is waited for by the next one only.
    var queues: Bool {
        switch self {
        case .lock, .delayedLock, .readWrite, .election, .multiLock: true
        case .firstCome, .semaphore, .workerSlots, .counter, .group, .queue, .boundedQueue, .doubleBarrier,
            .countBarrier, .gate, .latch, .configuration, .configurationSet, .mirror, .commands,
            .services, .partition:
            false
        }
    }

    /// Whoever holds can write behind a guard, and holds no longer than the window of the session.
    var isFenced: Bool {
        switch self {
        case .lock, .delayedLock, .readWrite, .election, .multiLock, .firstCome, .semaphore, .workerSlots, .queue,
            .boundedQueue:
            true
        case .counter, .group, .doubleBarrier, .countBarrier, .gate, .latch, .configuration, .configurationSet, .mirror,
            .commands, .services, .partition:
            false
        }
    }
}

extension Scenario {
    /// Where a recipe is used.
    package struct Place: Sendable {
        let family: RecipeFamily
        let name: String
        /// How many leases of a semaphore there are, numbers for workers, names in a group; how many items are taken
        /// together at most.
        let limit: Int

        package init(family: RecipeFamily, name: String, limit: Int = 1) {
            self.family = family
            self.name = name
            self.limit = limit
        }

        /// Where the contenders are, or the node itself.
        var path: String { Self.root + name }
        /// What holders write with their guard, and without.
        var guardedOutput: String { "/out/" + name + "-guarded" }
        var bareOutput: String { "/out/" + name + "-bare" }

        /// How long the next one waits after a hold that ended without a release.
        var delay: Duration? { family == .delayedLock ? .milliseconds(250 * limit) : nil }

        /// What is there from the beginning, to be written to.
        var outputs: [String] {
            [guardedOutput, bareOutput] + (family == .commands ? [CommandNodes(at: path).effects] : [])
        }

        /// The most items of a queue, if it has a limit.
        var capacity: Int? { family == .boundedQueue ? limit + 1 : nil }

        var isQueueOfItems: Bool { family == .queue || family == .boundedQueue }

        /// How many revisions of a value are kept.
        var historyLimit: Int { limit + 1 }

        /// How many must come to a barrier.
        var meeting: Int { limit + 1 }

        /// The locks that are held together.
        var members: [String] { (0...limit).map { "\(path)/\($0)" } }

        /// The nodes below which those who wait stand in a queue.
        var queues: [String] { family == .multiLock ? members : family.queues ? [path] : [] }

        /// Nodes whose children come and go.
        var parents: [String] {
            switch family {
            case .lock, .delayedLock, .readWrite, .election, .firstCome, .group, .doubleBarrier, .countBarrier:
                [path]
            case .multiLock: members
            case .semaphore: [path + "/locks", path + "/leases"]
            case .workerSlots: [path + "/slots"]
            // Items stay until somebody takes them, marks as long as the session.
            case .queue, .boundedQueue: [QueueNodes(items: path).claims]
            // A gate stays closed and a latch open; values and trees stay.
            case .counter, .gate, .latch, .configuration, .configurationSet, .mirror, .commands, .services, .partition:
                []
            }
        }

        private static let root = "/recipe/"
    }
}

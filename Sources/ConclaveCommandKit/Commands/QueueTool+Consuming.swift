import ConclaveClient
import ConclaveCore
import Recipes

/// What the tool needs of a queue, whatever its form.
struct ToolQueue: Sendable {
    let take: @Sendable (Duration?) async throws -> [UInt8]
    let tryTake: @Sendable () async throws -> [UInt8]?
    let receive: @Sendable () async throws -> QueueDelivery<[UInt8]>
    let count: @Sendable () async throws -> Int
    let list: @Sendable (Int) async throws -> [QueueEntry]

    init(_ queue: DistributedQueue<[UInt8]>) {
        take = { try await queue.take(timeout: $0) }
        tryTake = { try await queue.tryTake() }
        receive = { try await queue.receive() }
        count = { try await queue.count() }
        list = { try await queue.list(limit: $0) }
    }

    init(_ queue: PriorityQueue<[UInt8]>) {
        take = { try await queue.take(timeout: $0) }
        tryTake = { try await queue.tryTake() }
        receive = { try await queue.receive() }
        count = { try await queue.count() }
        list = { try await queue.list(limit: $0) }
    }

    init(_ queue: DelayQueue<[UInt8]>) {
        take = { try await queue.take(timeout: $0) }
        tryTake = { try await queue.tryTake() }
        receive = { try await queue.receive() }
        count = { try await queue.count() }
        list = { try await queue.list(limit: $0) }
    }
}

/// The forms of queues, as options name them.
enum QueueForm: Equatable {
    struct Settings {
        let client: ZooKeeperClient
        let path: String
        let layout: QueueLayout?
        let limit: Int?
        let deliveries: Int
        let identity: String
    }

    case fifo
    case priority(Int32)
    case delay(Duration)

    /// Reads the options; the one that puts an item somewhere also names the form.
    init(_ arguments: Arguments) throws(UsageError) {
        let priority = try arguments.integer(QueueTool.priority, in: Int(Int32.min)...Int(Int32.max))
        let delay = try arguments.duration(QueueTool.delay)
        if priority != nil, delay != nil { throw UsageError("--priority and --delay exclude each other") }
        let implied = priority != nil ? "priority" : delay != nil ? "delay" : "fifo"
        let name = arguments.text(QueueTool.form) ?? implied
        if implied != "fifo", name != implied { throw UsageError("--form \(name) and --\(implied) exclude each other") }
        switch name {
        case "fifo": self = .fifo
        case "priority": self = .priority(Int32(truncatingIfNeeded: priority ?? 0))
        case "delay": self = .delay(delay ?? .zero)
        default: throw UsageError("--form must be fifo, priority or delay, not \"\(name)\"")
        }
    }

    static func layout(_ arguments: Arguments) throws(UsageError) -> QueueLayout? {
        switch arguments.text(QueueTool.layout) {
        case nil: nil
        case "zookeeper": .zooKeeper
        case "curator": .curator
        case "kazoo": .kazoo
        case .some(let name): throw UsageError("--layout must be zookeeper, curator or kazoo, not \"\(name)\"")
        }
    }

    func queue(_ settings: Settings) -> ToolQueue {
        let (client, path) = (settings.client, settings.path)
        let (deliveries, identity) = (settings.deliveries, settings.identity)
        return switch self {
        case .fifo: ToolQueue(DistributedQueue(client, at: path, deliveries: deliveries, identity: identity))
        case .priority: ToolQueue(PriorityQueue(client, at: path, deliveries: deliveries, identity: identity))
        case .delay: ToolQueue(DelayQueue(client, at: path, deliveries: deliveries, identity: identity))
        }
    }

    func put(_ items: [[UInt8]], _ settings: Settings, timeout: Duration?) async throws -> Int32 {
        let (client, path, limit) = (settings.client, settings.path, settings.limit)
        do {
            switch self {
            case .fifo:
                let queue = DistributedQueue<[UInt8]>(
                    client, at: path, limit: limit, layout: settings.layout ?? .zooKeeper)
                try await queue.put(contentsOf: items, timeout: timeout)
            case .priority(let priority):
                let queue = PriorityQueue<[UInt8]>(
                    client, at: path, limit: limit, layout: settings.layout ?? .curator)
                try await queue.put(contentsOf: items, priority: priority, timeout: timeout)
            case .delay(let delay):
                let queue = DelayQueue<[UInt8]>(client, at: path, limit: limit)
                for item in items { try await queue.put(item, after: delay, timeout: timeout) }
            }
        } catch let error as ZooKeeperError where error.code == .deadlineExceeded {
            throw ToolFailure("the queue at \(path) is full", status: ExitCode.notAcquired)
        }
        return ExitCode.success
    }
}

extension QueueTool {
    /// How long a command may take to end once its item is lost.
    private static let grace = Duration.seconds(5)

    /// Runs the command for one item after the other.
    static func consume(
        _ queue: ToolQueue, _ words: [String], _ count: Int?, _ path: String, _ context: ToolContext
    ) async throws -> Int32 {
        var done = 0
        while count.map({ done < $0 }) ?? true {
            let delivery = try await queue.receive()
            var environment = context.environment
            environment["CONCLAVE_ITEM_BASE64"] = Base64.encode(delivery.item)
            // The environment's texts end at a zero byte.
            let isText = !delivery.item.contains(0)
            environment["CONCLAVE_ITEM"] = isText ? String(validating: delivery.item, as: UTF8.self) : nil
            environment["CONCLAVE_DELIVERY"] = "\(delivery.count)"
            let command = HeldCommand(words: words, path: path, token: delivery.token, grace: grace)
            let its = ToolContext(
                console: context.console, environment: environment, interrupts: context.interrupts,
                executable: context.executable)
            let result = try await run(command, for: delivery, its)
            switch result {
            case .ended(status: 0):
                try await delivery.finish()
                done += 1
            case .ended(let status):
                context.console.errorLine("\(Tool.name) queue: \(words[0]) ended with \(status) for \(delivery.name)")
                try await delivery.giveBack()
            // What is lost is tried again, by whoever has it now.
            case .lost, .revoked: break
            }
            // What was sent to the command was meant for us too.
            if let signal = context.interrupts.handled { return ExitCode.signal(signal) }
            try Task.checkCancellation()
        }
        return ExitCode.success
    }

    /// Runs the command; if it cannot be run the item goes back.
    private static func run(
        _ command: HeldCommand, for delivery: QueueDelivery<[UInt8]>, _ context: ToolContext
    ) async throws -> HeldCommand.Result {
        do {
            return try await command.run(context) { () async throws(CancellationError) in
                try await delivery.lost()
            }
        } catch {
            try await delivery.giveBack()
            throw error
        }
    }
}

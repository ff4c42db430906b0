import ConclaveClient
import ConclaveCore

@testable import Recipes

/// Machines of many clients against one ``ToyEnsemble``, interleaved from a seed: requests and answers are lost, and
/// notifications come late.
struct ToyClients {
    /// A machine without its output's type.
    struct Running {
        var handle: (StepEvent) -> [Step]
    }

    enum Step {
        case request(StepRequest)
        case wait(Duration?)
        case awaitConnection
        case clean([Operation])
        case sweep(below: String, mark: String)
        case disown(String)
        case ended
    }

    struct Client {
        let session: SessionID
        var running: Running?
        var pending: StepRequest?
        var waiting: Duration??
        var isDisconnected = false
        var inbox: [StepEvent] = []
        /// Watches that are armed, and those that have fired and wait to be heard.
        var armed: [String: Set<ToyEnsemble.Kind>] = [:]
        var fired: [String] = []
        var isGone = false
    }

    var ensemble = ToyEnsemble()
    var clients: [Client] = []
    var random: SeededRandom
    /// Of a hundred requests, how many lose their answers, and as many get lost themselves.
    var lossPercent = 8
    /// Work in the background, as of cleaners.
    private var chores: [(SessionID, StepRequest)] = []
    private(set) var notifications = 0

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    /// Starts a machine in a client; what it ends with goes to `then`.
    mutating func run<Machine: StepMachine>(
        _ machine: Machine, in index: Int, then: @escaping (Result<Machine.Output, StepFailureError>) -> Void
    ) {
        var machine = machine
        clients[index].running = Running { event in
            machine.handle(event).map { action in
                switch action {
                case .request(let request): return .request(request)
                case .wait(let limit): return .wait(limit)
                case .awaitConnection: return .awaitConnection
                case .clean(let operations): return .clean(operations)
                case .sweep(let parent, let mark): return .sweep(below: parent, mark: mark)
                case .disown(let path): return .disown(path)
                case .finish(let output):
                    then(.success(output))
                    return .ended
                case .fail(let failure):
                    then(.failure(StepFailureError(failure: failure)))
                    return .ended
                }
            }
        }
        clients[index].armed = [:]
        clients[index].fired = []
        feed(index, .start)
    }

    mutating func addClient() -> Int {
        clients.append(Client(session: SessionID(rawValue: Int64(clients.count + 1))))
        return clients.count - 1
    }

    /// Whether any machine has not ended.
    var isBusy: Bool { clients.contains { $0.running != nil } || !chores.isEmpty }

    mutating func expire(_ index: Int) {
        ensemble.expire(clients[index].session)
        notify()
        clients[index].isGone = true
        clients[index].pending = nil
        feed(index, .sessionOver(.sessionExpired))
    }

    /// One thing that may happen now does. `false` if nothing can.
    mutating func step() -> Bool {
        var able: [Int] = clients.indices.filter { canStep(clients[$0]) }
        if !chores.isEmpty { able.append(-1) }
        guard let index = able.randomElement(using: &random) else { return false }
        if index == -1 {
            doChore()
        } else if let request = clients[index].pending {
            serve(index, request)
        } else if clients[index].isDisconnected {
            clients[index].isDisconnected = false
            feed(index, .connected)
        } else if !clients[index].inbox.isEmpty {
            feed(index, clients[index].inbox.removeFirst())
        } else if !clients[index].fired.isEmpty {
            clients[index].waiting = nil
            notifications += 1
            feed(index, .changed(clients[index].fired.removeFirst()))
        } else {
            clients[index].waiting = nil
            feed(index, .elapsed)
        }
        return true
    }

    /// Lets things happen until it is enough or nothing can happen any more; at most so many.
    mutating func step(upTo limit: Int, until isEnough: (ToyClients) -> Bool = { _ in false }) {
        for _ in 0..<limit where isEnough(self) || !step() { return }
    }

    private func canStep(_ client: Client) -> Bool {
        guard client.running != nil else { return false }
        if client.pending != nil || client.isDisconnected || !client.inbox.isEmpty { return true }
        guard case .some(let limit) = client.waiting else { return false }
        return !client.fired.isEmpty || limit != nil
    }

    private mutating func serve(_ index: Int, _ request: StepRequest) {
        clients[index].pending = nil
        let dice = Int.random(in: 0..<100, using: &random)
        if dice < lossPercent {
            clients[index].inbox.append(.failed(.connectionLoss, at: nil))
            return
        }
        let answer = ensemble.perform(request, of: clients[index].session)
        notify()
        if dice < 2 * lossPercent {
            clients[index].inbox.append(.failed(.connectionLoss, at: nil))
            return
        }
        arm(index, request, answer)
        clients[index].inbox.append(answer)
    }

    private mutating func arm(_ index: Int, _ request: StepRequest, _ answer: StepEvent) {
        guard case .answered = answer else { return }
        switch request {
        case .data(let path, watch: true): clients[index].armed[path, default: []].formUnion([.data, .existence])
        case .exists(let path, watch: true): clients[index].armed[path, default: []].formUnion([.data, .existence])
        case .children(let path, watch: true): clients[index].armed[path, default: []].insert(.children)
        case .data, .exists, .children, .dataOfMany, .watchDataOfMany, .read, .sync, .write, .makeParents: break
        }
    }

    private mutating func notify() {
        for change in ensemble.changes {
            for index in clients.indices where clients[index].armed[change.path]?.contains(change.kind) == true {
                let heard: Set<ToyEnsemble.Kind> = change.kind == .children ? [.children] : [.data, .existence]
                clients[index].armed[change.path]?.subtract(heard)
                clients[index].fired.append(change.path)
            }
        }
    }

    private mutating func feed(_ index: Int, _ event: StepEvent) {
        guard let running = clients[index].running else { return }
        for step in running.handle(event) {
            let session = clients[index].session
            switch step {
            case .request(let request): clients[index].pending = request
            case .wait(let limit): clients[index].waiting = .some(limit)
            case .awaitConnection: clients[index].isDisconnected = true
            case .clean(let operations): for operation in operations { chores.append((session, .write([operation]))) }
            case .sweep(let parent, let mark):
                for name in ensemble.children(of: parent) where name.contains(mark) {
                    chores.append((session, .write([.delete(NodePath.text(of: name, below: parent), version: nil)])))
                }
            case .disown(let path): chores.append((session, .write([.delete(path, version: nil)])))
            case .ended:
                clients[index].running = nil
                clients[index].pending = nil
                clients[index].waiting = nil
                clients[index].inbox = []
            }
        }
    }

    private mutating func doChore() {
        let (session, request) = chores.removeFirst()
        guard !clients.contains(where: { $0.session == session && $0.isGone }) else { return }
        _ = ensemble.perform(request, of: session)
        notify()
    }
}

/// A machine's failure as an error.
struct StepFailureError: Error, Equatable {
    let failure: StepFailure
}

extension ToyEnsemble {
    typealias Kind = Change
}

import ConclaveClient
import ConclaveCore
import ConclaveSession
import ConclaveWire
import Recipes

/// A job and what it stands at: what `StepRunner` and `ArmedWatches` are for a machine in a task.
struct RunningJob: Sendable {
    enum Purpose: Sendable {
        /// Of the actor with this number.
        case attempt(Int)
        /// After the node of a hold.
        case lookOut(Int)
        /// Of whoever holds this, for as long.
        case duty(Int)
        /// Of somebody who holds.
        case effect
        /// Of this hold, which ends with it.
        case handOver(Int)
        case background
        /// Goes on as long as the session.
        case following
        case lastLook
    }

    enum Standing: Sendable {
        case requesting(Pending)
        case waiting(until: Instant?)
        case awaitingConnection
        /// Told something, or about to be.
        case acting
    }

    /// A request of the job, which may be several on the wire.
    struct Pending: Sendable {
        struct Part: Sendable {
            var id: RequestID
            var path: String
            var watch: (kind: WatcherKind, watcher: WatcherID)?
            var result: Result?
        }

        enum Result: Sendable {
            case body(ReplyBody)
            case missing
        }

        var request: StepRequest
        var parts: [Part]
        /// The parents that are still to be made, the deepest first.
        var parents: [String] = []
    }

    struct ArmedWatch: Sendable {
        var kind: WatcherKind
        var path: String
        var watcher: WatcherID
        var hasFired = false
    }

    let number: Int
    let purpose: Purpose
    var job: any Job
    var standing = Standing.acting
    var watches: [ArmedWatch] = []

    /// When its wait is over.
    var deadline: Instant? {
        if case .waiting(let until) = standing { until } else { nil }
    }

    /// For people.
    var whereabouts: String {
        switch standing {
        case .requesting(let pending): "\(purpose) asks for \(pending.request)"
        case .waiting: "\(purpose) waits for \(watches.map(\.path).joined(separator: ", "))"
        case .awaitingConnection: "\(purpose) waits for a connection"
        case .acting: "\(purpose) acts"
        }
    }
}

extension RunningJob.Pending {
    /// What goes over the wire at first, part by part.
    static func opening(_ request: StepRequest) -> [(wire: ClientRequest, path: String, watch: WatcherKind?)] {
        switch request {
        case .data(let path, let watch):
            [(.getData(path: NodePath(path), watch: watch), path, watch ? .data : nil)]
        case .exists(let path, let watch):
            [(.exists(path: NodePath(path), watch: watch), path, watch ? .existence : nil)]
        case .children(let path, let watch):
            [(.getChildren2(path: NodePath(path), watch: watch), path, watch ? .children : nil)]
        case .dataOfMany(let paths):
            [(.multiRead(paths.map { .getData(path: NodePath($0), watch: false) }), paths.first ?? "/", nil)]
        case .watchDataOfMany(let paths):
            paths.map { (.getData(path: NodePath($0), watch: true), $0, .data) }
        case .read(let reads):
            [(.multiRead(reads.map(WireForm.request)), reads.first?.path ?? "/", nil)]
        case .sync(let path): [(.sync(path: NodePath(path)), path, nil)]
        case .write(let operations): [(WireForm.request(operations), operations.first?.path ?? "/", nil)]
        case .makeParents(let path, let mode): [(WireForm.request(.create(path, [], mode: mode)), path, nil)]
        }
    }

    /// Whether a refusal of a part is an answer like any other.
    func takesForMissing(_ code: ZooKeeperError.Code) -> Bool {
        switch request {
        case .exists: code == .noNode
        case .watchDataOfMany: code == .noNode || code == .noAuth
        case .data, .children, .dataOfMany, .read, .sync, .write, .makeParents: false
        }
    }

    /// The answer, once every part has its result; else what the server refused.
    func answer() -> StepEvent.Answer {
        guard let first = parts.first?.result else { return .event(.done) }
        switch (request, first) {
        case (.data, .body(.data(let data, let stat))): return .event(.data(NodeData(data: data, stat: stat)))
        case (.exists, .body(.stat(let stat))): return .event(.exists(stat))
        case (.exists, .missing): return .event(.exists(nil))
        case (.children, .body(.children(let names, let stat))):
            return .event(.children(Children(names: names.sorted(), stat: stat)))
        case (.dataOfMany, .body(.multi(let results))):
            return .event(
                .dataOfMany(
                    results.map { result in
                        guard case .data(let data, let stat) = result else { return nil }
                        return NodeData(data: data, stat: stat)
                    }))
        case (.read, .body(.multi(let results))): return .event(.read(results.map(WireForm.reading)))
        case (.watchDataOfMany, _):
            return .event(
                .dataOfMany(
                    parts.map { part in
                        guard case .body(.data(let data, let stat)) = part.result else { return nil }
                        return NodeData(data: data, stat: stat)
                    }))
        case (.sync, _), (.makeParents, _): return .event(.done)
        case (.write(let operations), .body(let body)):
            if case .multi(let results) = body, let failure = MultiResult.firstFailure(in: results) {
                let path = operations.indices.contains(failure.index) ? operations[failure.index].path : nil
                return .refusal(failure.code, at: path)
            }
            guard let results = WireForm.results(body, of: operations), results.count == operations.count else {
                return .refusal(.protocolViolation, at: operations.first?.path)
            }
            return .event(.written(results))
        case (.data, _), (.exists, _), (.children, _), (.dataOfMany, _), (.read, _), (.write, _):
            return .refusal(.protocolViolation, at: parts.first?.path)
        }
    }
}

extension StepEvent {
    /// What a request came to.
    enum Answer {
        case event(StepAnswer)
        case refusal(ZooKeeperError.Code, at: String?)
    }
}

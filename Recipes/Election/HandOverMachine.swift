import ConclaveClient
import ConclaveCore

/// The leader's side: offers its place to one candidate and waits whether that takes it; event in, actions out.
///
/// The candidate's own node is written, with what it held before, in the transaction of the offer: that wakes this
/// candidate and nobody else.
package struct HandOverMachine: StepMachine {
    package enum Output: Hashable, Sendable {
        case taken
        /// The candidate has gone, or has not answered in time.
        case notTaken
    }

    enum State: Hashable, Sendable {
        case idle
        case making
        case reading
        case offering
        case watching
        case waiting
        case withdrawing
        case concluding
        case suspended
        case syncing
        case over
    }

    let path: String
    let own: String
    let candidate: String
    let offer: String
    let patience: Duration
    var state = State.idle
    var retries = 0

    /// - Parameters:
    ///   - own: the path of the leader's node.
    ///   - candidate: the path of the candidate's.
    ///   - patience: how long the candidate may take.
    package init?(path: String, own: String, candidate: String, patience: Duration) {
        let names = [own, candidate].map { String(decoding: NodePath($0).name, as: UTF8.self) }
        guard let offer = HandOver.offerName(from: names[0], to: names[1]), own != candidate else { return nil }
        self.path = path
        self.own = own
        self.candidate = candidate
        self.offer = NodePath.text(of: offer, below: path)
        self.patience = patience
    }

    package mutating func handle(_ event: StepEvent) -> [StepAction<Output>] {
        switch event {
        case .start:
            guard state == .idle else { return [] }
            state = .making
            let date = NodePath.text(of: HandOver.dateName, below: path)
            return [.request(.write([.create(date, [], mode: .persistent)]))]
        case .answered(let answer, _): return answered(answer)
        case .failed(let code, let path): return failed(code, at: path)
        case .changed:
            return state == .waiting ? watch() : []
        case .elapsed:
            return state == .waiting ? withdraw() : []
        case .connected:
            guard state == .suspended else { return [] }
            state = .syncing
            return [.request(.sync(path))]
        case .cancelled: return leave(StepFailure(.cancelled))
        case .deadlinePassed: return leave(StepFailure(.deadlineExceeded))
        case .sessionOver(let code): return leave(StepFailure(code))
        }
    }

    private mutating func answered(_ answer: StepAnswer) -> [StepAction<Output>] {
        switch (state, answer) {
        case (.making, .written): return read()
        case (.reading, .data(let node)):
            state = .offering
            return [
                .request(
                    .write([
                        .check(own), .create(offer, [], mode: .ephemeral),
                        .setData(candidate, node.data, version: node.stat.version),
                    ]))
            ]
        case (.offering, .written): return watch()
        case (.watching, .exists(let stat)):
            guard stat != nil else { return conclude() }
            state = .waiting
            return [.wait(upTo: patience)]
        case (.withdrawing, .written): return finish(.notTaken)
        case (.concluding, .exists(let stat)): return finish(stat == nil ? .taken : .notTaken)
        // Whatever had been sent has been performed or never will be: takes the offer back and sees what has become of
        // it.
        case (.syncing, .done): return withdraw()
        default: return []
        }
    }

    private mutating func failed(_ code: ZooKeeperError.Code, at path: String?) -> [StepAction<Output>] {
        if code.isWorthReconnecting {
            guard state != .over else { return [] }
            state = .suspended
            return [.awaitConnection]
        }
        switch state {
        case .making where code == .nodeExists: return read()
        case .reading where code == .noNode: return finish(.notTaken)
        case .offering where code == .badVersion:
            retries += 1
            return retries <= ContenderMachine.retryLimit ? read() : leave(StepFailure(code, at: path))
        case .offering where code == .noNode:
            return path == own ? leave(StepFailure(.holdLost, at: own)) : finish(.notTaken)
        case .offering where code == .nodeExists: return watch()
        // No offer: it was taken, or never made. In the first case the own node has gone with it.
        case .withdrawing where code == .noNode: return conclude()
        case .idle, .over: return []
        default: return leave(StepFailure(code, at: path))
        }
    }

    private mutating func read() -> [StepAction<Output>] {
        state = .reading
        return [.request(.data(candidate))]
    }

    /// The offer goes with the takeover. The own node also goes when the leader gives up meanwhile, which leaves the offer.
    private mutating func watch() -> [StepAction<Output>] {
        state = .watching
        return [.request(.exists(offer, watch: true))]
    }

    private mutating func conclude() -> [StepAction<Output>] {
        state = .concluding
        return [.request(.exists(own))]
    }

    private mutating func withdraw() -> [StepAction<Output>] {
        state = .withdrawing
        return [.request(.write([.delete(offer)]))]
    }

    private mutating func finish(_ output: Output) -> [StepAction<Output>] {
        state = .over
        return [.finish(output)]
    }

    private mutating func leave(_ failure: StepFailure) -> [StepAction<Output>] {
        guard state != .over else { return [] }
        state = .over
        return [.clean([.delete(offer)]), .fail(failure)]
    }
}

import ConclaveCore

/// A promise that must hold after every step.
protocol Invariant: Sendable {
    /// The promise in a few words.
    static var name: String { get }

    /// - Returns: what is wrong, if something is. The text is only made then: this runs for every observation.
    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> String?
}

/// All invariants, held as plain values so that a step costs no allocation and no dynamic call.
struct Invariants: Sendable {
    private var uniqueProposals = UniqueProposals()
    private var oneLeader = OneLeaderPerEpoch()
    private var leaderIsComplete = LeaderIsComplete()
    private var prefixAgreement = PrefixAgreement()
    private var ownHistory = OwnHistory()
    private var durableCommits = DurableCommits()
    private var durableAcknowledgements = DurableAcknowledgements()
    private var nothingForgotten = NothingForgotten()
    private var digestAgreement = DigestAgreement()
    private var growingEpochs = GrowingEpochs()
    private var sessionHold = SessionHold()
    private var answersAreCommitted = AnswersAreCommitted()
    private var requestsOnce = RequestsOnce()

    /// The first promise that a step breaks.
    mutating func check(_ step: ClusterView.Step, _ view: ClusterView) -> Violation? {
        switch step.observation {
        case .logged: first(step, view, &uniqueProposals)
        case .recovered, .truncated, .durable, .installed: first(step, view, &nothingForgotten)
        case .acceptedEpoch, .currentEpoch: first(step, view, &growingEpochs)
        case .acknowledged: first(step, view, &durableAcknowledgements)
        case .activated:
            first(step, view, &oneLeader) ?? first(step, view, &leaderIsComplete)
                ?? first(step, view, &durableCommits) ?? first(step, view, &requestsOnce)
                ?? first(step, view, &sessionHold)
        case .serving:
            first(step, view, &prefixAgreement) ?? first(step, view, &requestsOnce)
                ?? first(step, view, &sessionHold) ?? first(step, view, &digestAgreement)
        case .applied:
            first(step, view, &prefixAgreement) ?? first(step, view, &ownHistory)
                ?? first(step, view, &durableCommits) ?? first(step, view, &requestsOnce)
                ?? first(step, view, &sessionHold) ?? first(step, view, &digestAgreement)
        case .answered: first(step, view, &answersAreCommitted)
        case .held: first(step, view, &sessionHold)
        case .stoppedServing, .released: nil
        }
    }

    @inline(__always)
    private func first<Rule: Invariant>(
        _ step: ClusterView.Step, _ view: ClusterView, _ rule: inout Rule
    ) -> Violation? {
        guard let detail = rule.check(step, view) else { return nil }
        return Violation(Rule.name, detail, process: step.server, time: step.time)
    }
}

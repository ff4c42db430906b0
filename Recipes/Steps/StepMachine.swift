import ConclaveClient
import ConclaveCore

/// A recipe's decisions as a value: event in, actions out.
///
/// It owns no clock, task or connection, so that the same value runs over a client (``StepRunner``) and in the
/// simulator. One thing is under way at a time: after every event the machine asks for exactly one of a request, a
/// wait, a connection or its end; actions of the other kinds may stand before it.
///
/// ```
/// start ──▶ request ──answer──▶ request ──answer──▶ wait ──changed──▶ request … ──▶ finish
///              │ failed(connectionLoss)
///              └──▶ awaitConnection ──connected──▶ request …
/// ```
///
/// Rules for authors:
/// - a write whose answer was lost may have been performed: nodes bear the id of the attempt (``AttemptID``) and are
///   looked for after a ``StepRequest/sync(_:)`` before they are made again;
/// - after ``StepEvent/cancelled``, ``StepEvent/deadlinePassed`` and ``StepEvent/sessionOver(_:)`` no request can be
///   made any more: what is left behind is cleaned by ``StepAction/clean(_:)``, ``StepAction/sweep(below:mark:)`` and
///   ``StepAction/disown(_:)``;
/// - an event that makes no sense in the current state is late and is ignored (`[]`).
package protocol StepMachine: Sendable {
    associatedtype Output: Sendable

    /// Takes one event and says what to do, in this order.
    mutating func handle(_ event: StepEvent) -> [StepAction<Output>]
}

package enum StepEvent: Hashable, Sendable {
    case start
    /// What the request of the last action brought, and whether the client's hold window was open then.
    case answered(StepAnswer, isWindowOpen: Bool)
    /// The request of the last action failed; `at` is the path that the server refused.
    case failed(ZooKeeperError.Code, at: String?)
    /// During a wait a watch at this path has fired.
    case changed(String)
    /// The time of a wait is over.
    case elapsed
    case connected
    case cancelled
    case deadlinePassed
    case sessionOver(ZooKeeperError.Code)
}

package enum StepAction<Output: Sendable>: Sendable {
    case request(StepRequest)
    /// Until a watch fires that an earlier read has armed, or the time is over.
    case wait(upTo: Duration?)
    /// Until requests can be answered again.
    case awaitConnection
    /// Perform these operations one by one in the background until they are done or the session is over. That a node
    /// is missing or has another version counts as done.
    case clean([Operation])
    /// Delete every child of the first path whose name contains the mark, in the background, after a sync.
    case sweep(below: String, mark: String)
    /// Delete this node in the background, after a sync, if it is an ephemeral one of the client's own session: for nodes
    /// whose name does not tell who made them.
    case disown(String)
    /// Done. A machine may be started again where its own documentation says so.
    case finish(Output)
    case fail(StepFailure)
}

extension StepAction: Equatable where Output: Equatable {}

/// Why a machine gave up.
package struct StepFailure: Hashable, Sendable {
    package let code: ZooKeeperError.Code
    package let path: String?
    /// What the caller is told; without one, the error of the last request is told if it has this code.
    package let message: String?

    package init(_ code: ZooKeeperError.Code, at path: String? = nil, message: String? = nil) {
        self.code = code
        self.path = path
        self.message = message
    }
}

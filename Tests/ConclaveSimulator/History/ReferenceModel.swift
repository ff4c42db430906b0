import ConclaveCore

/// What requests mean: the state that one server without faults would have, written from the documentation of the
/// service and not from its code.
package protocol ReferenceModel {
    associatedtype Request: Sendable
    associatedtype Response: Equatable, Sendable
    /// What a watch can be set on: a node, and what about it.
    associatedtype WatchKey: Hashable, Sendable

    init()
    /// Carries out a write, which took place at a zxid.
    mutating func perform(_ request: Request, session: SessionID, zxid: Zxid) -> Response
    /// Answers a read.
    func read(_ request: Request, session: SessionID) -> Response
    /// A session ends.
    mutating func close(_ session: SessionID, zxid: Zxid)
    /// The service takes a node away by itself; where it never does, nothing need be said.
    mutating func remove(_ path: String, zxid: Zxid)
    /// What watches must hear of the last write or end of a session, and nothing before that.
    mutating func takeChanges() -> [WatchKey]
}

extension ReferenceModel {
    package mutating func remove(_ path: String, zxid: Zxid) {}
}

/// One request of a client and what became of it.
package struct RecordedOperation<Request: Sendable, Response: Sendable & Equatable>: Sendable {
    package struct Answer: Sendable {
        package var response: Response
        /// The zxid of the write; for a read, of the state that it saw.
        package var zxid: Zxid
        /// ``World/moment()`` at which the client had it.
        package var moment: UInt64
    }

    package var session: SessionID
    package var cxid: Int32
    package var request: Request
    package var isWrite: Bool
    package var askedAt: UInt64
    /// `nil`: still open, or lost with the connection; then it may or may not have happened.
    package var answer: Answer?
}

/// A watch and what the client heard of it.
package struct RecordedWatch<Key: Hashable & Sendable>: Sendable {
    package var key: Key
    package var session: SessionID
    /// The state in which the watch was set: that of the read's answer.
    package var setAt: Zxid
    package var setMoment: UInt64
    package var firedMoment: UInt64?
    /// The client, or its session, let go of it: nothing is expected any more.
    package var endedMoment: UInt64?
    /// The service may miss the change, as it does for a node that was made and removed again while the client was
    /// away.
    package var mayMiss = false
}

/// Everything that one client did, in its order.
package struct ClientRecord<Request: Sendable, Response: Sendable & Equatable, WatchKey: Hashable & Sendable>: Sendable
{
    package private(set) var operations: [RecordedOperation<Request, Response>] = []
    package private(set) var watches: [RecordedWatch<WatchKey>] = []

    package init() {}

    /// - Returns: the number of the operation.
    package mutating func ask(
        _ request: Request, isWrite: Bool, session: SessionID, cxid: Int32, moment: UInt64
    ) -> Int {
        operations.append(
            RecordedOperation(
                session: session, cxid: cxid, request: request, isWrite: isWrite, askedAt: moment, answer: nil))
        return operations.count - 1
    }

    package mutating func answer(_ operation: Int, _ response: Response, zxid: Zxid, moment: UInt64) {
        operations[operation].answer = .init(response: response, zxid: zxid, moment: moment)
    }

    /// - Returns: the number of the watch.
    package mutating func watch(_ key: WatchKey, session: SessionID, setAt zxid: Zxid, moment: UInt64) -> Int {
        watches.append(RecordedWatch(key: key, session: session, setAt: zxid, setMoment: moment))
        return watches.count - 1
    }

    package mutating func fire(_ watch: Int, moment: UInt64) { watches[watch].firedMoment = moment }

    package mutating func end(watch: Int, moment: UInt64) { watches[watch].endedMoment = moment }

    package mutating func excuse(watch: Int) { watches[watch].mayMiss = true }
}

import ConclaveCore
import Recipes

/// What a client did and believed, for the judges: holds, wake-ups, uses of what a hold protects.
///
/// Times are true times in nanoseconds, which no process knows.
package struct RecipeJournal: Sendable {
    /// A stretch of time in which somebody may act as holder.
    struct Belief: Sendable {
        var from: Int64
        var until: Int64
    }

    enum Ending: Sendable {
        case released
        case lost(HoldLoss)
    }

    /// A grant and what became of it.
    struct Hold: Sendable {
        let holding: Holding
        let process: Int
        let session: SessionID
        /// The state in which the client saw that it holds.
        let seenAt: Zxid
        let grantedAt: Int64
        let moment: UInt64
        var beliefs: [Belief] = []
        /// Each time somebody was told the end.
        var endings: [(ending: Ending, moment: UInt64)] = []
    }

    /// A waiter in a queue that was woken by a change of another one's node.
    struct WakeUp: Sendable {
        let path: String
        let attempt: Int
        let isShared: Bool
    }

    /// Something done outside of the ensemble by whoever believed to hold: when it took effect there.
    struct Use: Sendable {
        let path: String
        let token: Zxid
        let arrival: Int64
    }

    /// An addition to a counter and what the client was told about it, if anything.
    struct Addition: Sendable {
        let path: String
        let amount: Int64
        var output: CounterMachine.Output?
    }

    /// What somebody who follows a group was told.
    struct Picture: Sendable {
        let path: String
        let session: SessionID
        let members: [GroupMember]
        /// The newest state that the client had seen.
        let seenAt: Zxid
    }

    /// A value that was to be published, and its revision if it is known to be.
    struct Publication: Sendable {
        let path: String
        let value: [UInt8]
        let expected: PublishMachine.Expected
        var stat: Stat?
    }

    /// A revision that a subscriber was told of.
    struct Seen: Sendable {
        let path: String
        let session: SessionID
        let sighting: Sighting
    }

    /// What a copy of a tree was told.
    struct Copy: Sendable {
        let path: String
        let session: SessionID
        let changes: [MirrorMachine.Action]
        /// The newest state that the client had seen.
        let seenAt: Zxid
    }

    /// What a set of values was to become, made of what the transaction `base` had published.
    struct Switch: Sendable {
        let path: String
        let values: [String: [UInt8]]
        let base: Zxid
        /// The transaction, if it is known to have been done.
        var published: Zxid?
    }

    /// A set of values as it was read.
    struct Snapshot: Sendable {
        let path: String
        let reading: SnapshotMachine.Reading
    }

    /// A command that was to be published, and its number if it is known to be.
    struct Order: Sendable {
        let path: String
        let attempt: String
        var number: Int32?
    }

    /// A command that was given out to this client.
    struct GivenCommand: Sendable {
        let path: String
        let number: Int32
        let isRepeated: Bool
    }

    /// An item that was to be put into a queue.
    struct Put: Sendable {
        let path: String
        let attempt: String
        let payload: [UInt8]
        var isPut = false
    }

    /// What was to be taken out of a queue: what it was, once that is known.
    struct Take: Sendable {
        let path: String
        let attempt: String
        var payloads: [[UInt8]]?
    }

    /// Somebody at a barrier: the newest states that were seen after being let in, and out.
    struct Passage: Sendable {
        let path: String
        let node: String
        var enteredAt: Zxid?
        var leftAt: Zxid?
        var round: Int32?
    }

    /// Somebody who waited at a gate or a latch: the newest states that were seen before, and after being let through.
    struct Wait: Sendable {
        let path: String
        let from: Zxid
        var until: Zxid?
    }

    /// A call that counts a latch down: what was left, and the newest states before it and behind it.
    struct Count: Sendable {
        let path: String
        let name: String
        let from: Zxid
        var left: Int?
        var until: Zxid?
    }

    let process: Int
    let scenario: Scenario
    var waits: [Wait] = []
    var counts: [Count] = []
    var puts: [Put] = []
    var takes: [Take] = []
    var passages: [Passage] = []
    var additions: [Addition] = []
    var pictures: [Picture] = []
    var publications: [Publication] = []
    var sightings: [Seen] = []
    var copies: [Copy] = []
    var switches: [Switch] = []
    var snapshots: [Snapshot] = []
    var orders: [Order] = []
    /// Which instances stand for which session; asked for single ones, and for all of them where the order is nothing.
    var registrations: [String: SessionID] = [:]
    var commands: [GivenCommand] = []
    /// The newest state that the client has asked for after it had come to an end.
    var lastLook: Zxid?
    var holds: [Hold] = []
    var wakeUps: [WakeUp] = []
    var uses: [Use] = []
    var attempts = 0
    var handOvers = 0
    /// Attempts that were cancelled or ran out of time.
    var withdrawn = 0
    /// At the end; `.none` if there is none.
    var session = SessionID.none

    init(process: Int, scenario: Scenario) {
        self.process = process
        self.scenario = scenario
    }
}

/// Mistakes that can be planted in the toy, one at a time, each of a kind that real systems made.
enum ToyBug: String, CaseIterable, Sendable {
    /// A follower acknowledges before its disk has the entries (ZOOKEEPER-4646).
    case acknowledgesBeforeSync
    /// A vote is given before it is on disk, and never put there (ZOOKEEPER-1653).
    case forgetsVote
    /// A vote goes to candidates that know less (ZOOKEEPER-4643).
    case votesForAnyone
    /// The folder is not synced after a file was put in its place (ClickHouse #116316).
    case skipsFolderSync
    /// A damaged or torn record at the end is read as if it were whole.
    case trustsTornTail
    /// The leader answers as soon as its own disk has the entry.
    case answersBeforeCommit
    /// A request whose answer is missing is sent to the next leader again.
    case repeatsRequests
    /// The state depends on which server applies.
    case appliesDifferently
    /// A client is taken although it has seen more than the server.
    case takesClientsThatAreAhead
    /// A read is answered with the number of a state newer than what it shows.
    case readsEarly
    /// Events go out with the next heartbeat, behind the replies.
    case delaysEvents
    /// Watches that a client brings along are only noted down (ZOOKEEPER-1412).
    case missesChangesWhileAway
    /// A leader answers for sessions without asking whether it still leads.
    case touchesWithoutQuorum
    /// A client counts its window from the answer instead of the question.
    case countsHoldFromAnswer
    /// A server gives up dialling another one (ZOOKEEPER-3320).
    case givesUpDialling
    /// A server that was a leader keeps its followers' places in the log from then.
    case keepsProgressOfFormerTerm
}

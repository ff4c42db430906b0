/// Mistakes that can be planted around the recipes' machines, one at a time, each of a kind that real libraries made.
///
/// They live in what performs the machines' actions here: the product has no switch for them.
package enum RecipeBug: String, CaseIterable, Sendable {
    // In the queue.
    /// Every waiter watches the first contender, so that each release wakes all.
    case watchesFirst
    /// That the predecessor has gone is taken for the grant, without listing again: it may have waited itself.
    case takesEventForGrant
    /// An event wakes nobody.
    case sleepsOn
    /// A lease more than there are.
    case takesLeaseTooMany
    /// Readers do not wait for writers.
    case readsPastWriters
    /// A node whose creation went unanswered is looked for on a server that need not have it yet.
    case looksWithoutSync
    /// Who leads after others have led out of turn keeps its older term.
    case keepsOldTerm
    /// Whatever lock node is there after a lost answer counts as the own one (CURATOR-79, 498, 696).
    case takesLockOfOthers

    /// Who comes after a hold that was lost does not wait.
    case forgetsDelay
    /// Of locks held together only the first is waited for.
    case looksAtOneLock
    /// Versions are not checked, so that of two who have read the same both write.
    case writesBlindly
    /// What went unanswered is done once more without asking whether it was done.
    case repeatsUnasked
    /// A consumer takes its item out of the queue whether it still has it or not.
    case finishesBlindly
    /// A producer puts whether there is room or not.
    case ignoresRoom
    /// Whoever comes to a barrier counts itself twice.
    case countsItselfTwice
    /// Whoever leaves a double barrier does not wait for the others.
    case leavesAtOnce
    /// A request that failed with the connection is taken for the answer that there is no node.
    case takesLossForAbsence
    /// Who follows a group or copies a tree lists without a watch.
    case listsWithoutWatch
    /// A command that was begun before is given out as if it were not.
    case takesRepetitionForNew
    /// Whoever was elected assigns shares also when its term is over.
    case assignsWithoutTerm
    /// Who follows a value or copies a tree reads without a watch.
    case readsWithoutWatch

    // The hold.
    /// The window is counted from the answer instead of the question (etcd #11456).
    case countsHoldFromAnswer
    /// A grant is given although the window has lapsed.
    case ignoresWindow
    /// A hold goes on when its window lapses, until the server says that the session is over (CURATOR-206).
    case forgetsLapse
    /// A loss is told once by the look-out and once more by the session.
    case tellsLossTwice
    /// Guarded writes go without their guard.
    case writesUnguarded

    // The end.
    /// A removal whose answer is lost is not tried again (CURATOR-462, 315, 335).
    case cleansOnce
    /// A cancelled attempt whose node has no name yet leaves it behind (kazoo #732, CURATOR-18).
    case leavesCancelled
    /// The lock node is removed by name, whoever's it is by then.
    case removesByName
}

extension RecipeBug {
    /// The recipes in which the mistake can be made.
    package var families: [RecipeFamily] {
        switch self {
        case .watchesFirst, .takesEventForGrant, .looksWithoutSync: [.lock, .election]
        case .keepsOldTerm: [.election]
        case .forgetsDelay: [.delayedLock]
        case .readsPastWriters: [.readWrite]
        case .takesLockOfOthers: [.firstCome, .group, .services]
        case .removesByName: [.firstCome]
        case .looksAtOneLock: [.multiLock]
        case .writesBlindly: [.counter, .workerSlots]
        case .repeatsUnasked: [.counter, .multiLock, .queue, .commands]
        case .finishesBlindly: [.queue, .boundedQueue]
        case .ignoresRoom: [.boundedQueue]
        case .countsItselfTwice: [.doubleBarrier, .countBarrier, .latch]
        case .takesLossForAbsence: [.gate]
        case .leavesAtOnce: [.doubleBarrier]
        case .listsWithoutWatch: [.group, .mirror]
        case .takesRepetitionForNew: [.commands]
        case .assignsWithoutTerm: [.partition]
        case .readsWithoutWatch: [.configuration, .mirror]
        case .sleepsOn, .countsHoldFromAnswer, .ignoresWindow, .forgetsLapse, .tellsLossTwice, .writesUnguarded,
            .cleansOnce, .leavesCancelled:
            [.lock, .firstCome, .readWrite, .election]
        case .takesLeaseTooMany: [.semaphore]
        }
    }
}

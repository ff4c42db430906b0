import Synchronization

/// What other threads want a loop to do.
enum Work: Sendable {
    case closure(@Sendable () -> Void)
    /// A step of an actor or task that lives on the loop.
    case job(UnownedJob)
}

/// The door between a loop and all other threads: the only state of a loop that is under a lock.
///
/// Phases: running → stopping → ended. Work is taken in every phase and run exactly once; see ``EventLoop/shutdown()``.
struct Inbox {
    enum Phase { case running, stopping, ended }

    /// What somebody who adds work must do then.
    enum Duty { case nothing, wake, runAside }

    private(set) var phase = Phase.running
    private var items: [Work] = []
    /// The loop waits, or is about to, and has not been woken since.
    private var isAsleep = false
    /// After the end: a thread is running what came late.
    private var isRunningAside = false
    private var endWaiters: [CheckedContinuation<Void, Never>] = []

    mutating func add(_ work: Work) -> Duty {
        items.append(work)
        return dutyAfterChange()
    }

    mutating func stop() -> Duty {
        guard phase == .running else { return .nothing }
        phase = .stopping
        return dutyAfterChange()
    }

    private mutating func dutyAfterChange() -> Duty {
        if phase == .ended {
            guard !isRunningAside else { return .nothing }
            isRunningAside = true
            return .runAside
        }
        guard isAsleep else { return .nothing }
        isAsleep = false
        return .wake
    }

    /// The loop is awake and takes everything; `batch` must be empty and gives its storage.
    mutating func take(into batch: inout [Work]) {
        isAsleep = false
        guard !items.isEmpty else { return }
        swap(&items, &batch)
    }

    /// The loop wants to wait. `false` if there is something to do instead.
    mutating func fallAsleep() -> Bool {
        guard items.isEmpty, phase == .running else { return false }
        isAsleep = true
        return true
    }

    /// Gives back work that the loop took and did not get to; it comes before all other.
    mutating func putBack(_ work: [Work]) { items.insert(contentsOf: work, at: 0) }

    /// The loop ends. Work that came since it last looked is to be run aside.
    mutating func end() -> (waiters: [CheckedContinuation<Void, Never>], duty: Duty) {
        phase = .ended
        let waiters = endWaiters
        endWaiters = []
        return (waiters, items.isEmpty ? .nothing : dutyAfterChange())
    }

    /// `false` if the loop has ended already.
    mutating func awaitEnd(_ waiter: CheckedContinuation<Void, Never>) -> Bool {
        guard phase != .ended else { return false }
        endWaiters.append(waiter)
        return true
    }

    /// Somebody running aside has done what it took. `false` if nothing has come since, and it must go.
    mutating func takeAside(into batch: inout [Work]) -> Bool {
        guard !items.isEmpty else {
            isRunningAside = false
            return false
        }
        swap(&items, &batch)
        return true
    }
}

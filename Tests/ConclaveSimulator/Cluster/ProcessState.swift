import ConclaveCore

/// Why a server ended without being killed.
package enum StopReason: Sendable, Equatable {
    /// A call to the disk failed, or the disk holds what cannot be trusted: one fate.
    case disk(String)
    /// An order of its own, such as another role that needs a new start.
    case restart
    case fatal(String)
}

/// What the simulator knows about a process besides its value.
struct ProcessState: Sendable {
    /// Counts starts; what was planned for an earlier one is void.
    var incarnation: UInt32 = 0
    /// The process runs.
    var isUp = false
    /// The machine has power: it refuses connections even if no process listens.
    var isMachineUp = true
    var pausedUntil: Int64 = 0
    var clock = SimulatedClock()
    /// When the earliest timer event in the queue comes.
    var timerAt: Int64 = .max
    /// The storage thread is busy until then.
    var storageUntil: Int64 = 0
    /// Orders to storage that are not done.
    var storageOrders = 0
    /// Added to every order.
    var storageDelay: Int64 = 0
    var random = SeededRandom(seed: 0)
    /// Bit n for the port with number n.
    var listening: UInt8 = 0
    var stopReason: StopReason?
    /// How often it is to be killed again soon after its start.
    var crashesToCome = 0
    /// Its next start meets a failing disk at so many operations.
    var crashInRecovery: Int?
    var readFailureAtStart: Int?
    /// Its disk was damaged, and it has noticed: it need not come back.
    var isExcused = false
}

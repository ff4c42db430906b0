import ConclaveCore
import ConclaveNode

/// What the machine does not know about its server, but operators ask for.
struct AdminFacts {
    let configuration: ServerConfiguration
    let port: Int
    let started: Instant
    let now: Instant
    let wall: WallTime
    /// Bytes of the snapshots and of the logs on disk.
    let snapshotBytes: Int64
    let logBytes: Int64
    let storage: StorageStatistics
    let openDescriptors: Int
    let maximumDescriptors: Int
    let environment: [(key: String, value: String)]
    /// `nil` for a server that stands alone.
    let ensemble: NodeReport?

    /// Whether the server serves clients at the moment.
    func isServing(_ machine: ServerMachine) -> Bool { machine.role != .none }

    /// Whether a word is answered. Clients of read-only servers find those with a quorum by one of them.
    func allows(_ word: String) -> Bool {
        if word == "isro", configuration.ensemble?.readOnlyModeEnabled == true { return true }
        return configuration.fourLetterWords.allows(word)
    }

    /// When a moment of the machine's clock is or was, in milliseconds since 1970.
    func wallMilliseconds(of moment: Instant) -> Int64 { wall.milliseconds + moment.milliseconds(since: now) }
}

/// What the storage thread has done.
struct StorageStatistics: Sendable {
    var syncs = Summary()
    var snapshots = Summary()
    /// Transactions replayed at the start.
    var replayed = Summary()
    /// Milliseconds that reading the data took at the start.
    var loads = Summary()

    /// A series of numbers, summed up.
    struct Summary: Sendable {
        private(set) var count: Int64 = 0
        private(set) var sum: Int64 = 0
        private(set) var minimum: Int64 = 0
        private(set) var maximum: Int64 = 0

        var average: Double { count == 0 ? 0 : Double(sum) / Double(count) }

        mutating func record(_ value: Int64) {
            minimum = count == 0 ? value : min(minimum, value)
            maximum = max(maximum, value)
            sum &+= value
            count += 1
        }
    }
}

/// The version that clients and operators are told: the release whose protocol is spoken, and whose server it is.
enum ServerVersion {
    static let text = "3.8.0-conclave, built on 2026-11-21 00:00 UTC"
}

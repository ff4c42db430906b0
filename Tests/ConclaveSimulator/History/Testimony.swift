import ConclaveCore

/// Everything that is known at the end of a run, for clients that do more than ask and hear.
package struct Testimony<Client: SimulatedClient> {
    package struct Witness {
        package let record: ClientRecord<Client.Model.Request, Client.Model.Response, Client.Model.WatchKey>
        package let journal: Client.Journal
        /// It was not killed.
        package let isAlive: Bool
    }

    package let options: SimulationOptions
    /// The committed history, in order.
    package let committed: [LogEntry]
    /// Those that were killed first, then those that live, in their order.
    package let witnesses: [Witness]
    /// What went wrong.
    package let faults: FaultCounts
}

/// What a judgement has come to.
package struct Verdict: Sendable {
    /// The first broken promise: its name and what was found.
    package var broken: (rule: String, detail: String)?
    /// Numbers that say whether anything worth judging has happened.
    package var tallies: [String: Int]

    package init(broken: (rule: String, detail: String)? = nil, tallies: [String: Int] = [:]) {
        self.broken = broken
        self.tallies = tallies
    }
}

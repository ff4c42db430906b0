/// A command as a client of a ``CommandChannel`` gets it.
public struct Command: Hashable, Sendable {
    /// Its place among all commands of the channel; each is greater than those before.
    public let number: Int32
    /// What is to be done.
    public let data: [UInt8]
    /// When it was published: milliseconds since 1970, by the leader's clock.
    public let publishedMilliseconds: Int64
    /// Whether an earlier run of this client had begun with it and did not get to its acknowledgement: what it did then
    /// is not known.
    public let isRepeated: Bool
    /// How many commands before this one were removed before this client had got to them.
    public let missed: Int

    package init(number: Int32, data: [UInt8], publishedMilliseconds: Int64, isRepeated: Bool, missed: Int) {
        self.number = number
        self.data = data
        self.publishedMilliseconds = publishedMilliseconds
        self.isRepeated = isRepeated
        self.missed = missed
    }

    /// What is to be done, as text.
    public var text: String { String(decoding: data, as: UTF8.self) }
}

/// What came of a command at one client: what its acknowledgement holds, as JSON.
public struct CommandResult: Codable, Hashable, Sendable, ConfigurationValue {
    /// What the client has to say, for people or programs.
    public var text: String
    /// Whether it could not be done.
    public var failed: Bool

    /// A result.
    public init(_ text: String = "", failed: Bool = false) {
        self.text = text
        self.failed = failed
    }
}

/// How far a client is: what its persistent node holds, as JSON.
package struct CommandProgress: Codable, Hashable, Sendable, ConfigurationValue {
    /// The last command that was done, or skipped; -1 before the first.
    package var applied: Int32
    /// The command that was begun last.
    package var started: Int32

    package init(applied: Int32, started: Int32) {
        self.applied = applied
        self.started = started
    }
}

/// Where a command stands, as a console sees it.
public struct CommandStatus: Hashable, Sendable {
    /// One client's acknowledgement.
    public struct Acknowledgement: Hashable, Sendable {
        /// The client.
        public let client: String
        /// What it says; `nil` if its node holds something else.
        public let result: CommandResult?
        /// When it was done: milliseconds since 1970, by the leader's clock.
        public let milliseconds: Int64
    }

    /// A client that has not acknowledged yet.
    public struct Pending: Hashable, Sendable {
        /// The client.
        public let client: String
        /// Whether it is there.
        public let isOnline: Bool
        /// Whether it has begun.
        public let hasStarted: Bool
    }

    /// Its number.
    public let number: Int32
    /// What is to be done.
    public let data: [UInt8]
    /// When it was published: milliseconds since 1970, by the leader's clock.
    public let publishedMilliseconds: Int64
    /// Who has done it, sorted by name.
    public let acknowledged: [Acknowledgement]
    /// Who has yet to do it, sorted by name.
    public let pending: [Pending]

    /// Whether no client is left that has yet to do it.
    public var isComplete: Bool { pending.isEmpty }
}

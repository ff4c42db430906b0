/// Something that happened and that an operator may want to know: typed, small, without user data.
package struct LogEvent: Sendable, Equatable {
    package enum Level: Int, Sendable, Comparable {
        case debug, info, warning, error
        package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    package let level: Level
    /// A sentence; carries paths of files, zxids, session ids and addresses, never znode data or credentials.
    package let message: String

    package init(_ level: Level, _ message: String) {
        self.level = level
        self.message = message
    }
}

/// Where log events go. Machines hold no sink: they return events among their actions and the shell passes them on.
package protocol EventSink: Sendable {
    func record(_ event: LogEvent)
}

/// Drops everything: the default of libraries.
package struct SilentSink: EventSink {
    package init() {}
    package func record(_ event: LogEvent) {}
}

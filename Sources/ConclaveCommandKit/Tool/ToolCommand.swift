import ConclaveCore

/// One command of the tool.
package protocol ToolCommand: SendableMetatype {
    static var specification: CommandSpecification { get }

    /// Does what the command is for.
    ///
    /// - Returns: the exit status. Cancelled when the process is asked to end; then it cleans up and returns or throws.
    static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32
}

/// What commands get from the process.
package struct ToolContext: Sendable {
    package let console: Console
    package let environment: [String: String]
    package let interrupts: Interrupts
    /// The path of this program, for starting itself; `nil` where that makes no sense.
    package let executable: String?

    package init(
        console: Console, environment: [String: String] = [:], interrupts: Interrupts = Interrupts(),
        executable: String? = nil
    ) {
        self.console = console
        self.environment = environment
        self.interrupts = interrupts
        self.executable = executable
    }
}

/// The exit statuses of the tool. Where it runs a command for the user, that command's status passes through.
package enum ExitCode {
    package static let success: Int32 = 0
    package static let failed: Int32 = 1
    package static let usage: Int32 = 2
    package static let unreachable: Int32 = 3
    package static let notAcquired: Int32 = 4
    package static let holdLost: Int32 = 5
    package static let revoked: Int32 = 6
    package static let notExecutable: Int32 = 126
    package static let commandNotFound: Int32 = 127

    /// Ended by a signal, as shells count.
    package static func signal(_ number: Int32) -> Int32 { 128 + number }
}

/// A command failed for a reason that a person should read.
package struct ToolFailure: Error, Sendable {
    /// One sentence without a full stop.
    package let message: String
    package let status: Int32

    package init(_ message: String, status: Int32 = ExitCode.failed) {
        self.message = message
        self.status = status
    }
}

/// What a command is called, what it takes and how it explains itself.
package struct CommandSpecification: Sendable {
    /// How a command line is divided after the name of the command.
    package enum Form: Sendable {
        /// Options and arguments in any order; `--` ends the options.
        case mixed
        /// The first argument ends the options: what follows belongs to a language of its own.
        case optionsFirst
        /// Options and arguments in any order; after `--` stands a command that is run.
        case runsCommand
        /// Everything is handed on as it is.
        case verbatim
    }

    package let name: String
    package let summary: String
    /// What stands after the name in the usage line.
    package let usage: String
    package let details: String
    package let form: Form
    package let options: [OptionSpecification]
    /// The fewest and the most arguments.
    package let arguments: ClosedRange<Int>
    /// Exit statuses beyond 0, 1 and 2, with what they mean.
    package let statuses: [(status: Int32, meaning: String)]
    /// Whether it is left out of the list of commands.
    package let isHidden: Bool

    package init(
        _ name: String, summary: String, usage: String, details: String = "", form: Form = .mixed,
        options: [OptionSpecification] = [], arguments: ClosedRange<Int> = 0...0,
        statuses: [(status: Int32, meaning: String)] = [], isHidden: Bool = false
    ) {
        self.name = name
        self.summary = summary
        self.usage = usage
        self.details = details
        self.form = form
        self.options = options + [.help]
        self.arguments = arguments
        self.statuses = statuses
        self.isHidden = isHidden
    }
}

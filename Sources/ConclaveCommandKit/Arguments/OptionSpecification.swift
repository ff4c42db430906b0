/// An option that a command takes.
package struct OptionSpecification: Hashable, Sendable {
    /// The long name with its dashes: `--timeout`.
    package let name: String
    /// The short name with its dash: `-t`.
    package let short: String?
    /// What the value is called in the help; `nil` for a switch.
    package let value: String?
    package let help: String
    /// Whether it may be given more than once.
    package let repeats: Bool

    package init(_ name: String, short: String? = nil, value: String? = nil, repeats: Bool = false, help: String) {
        self.name = name
        self.short = short
        self.value = value
        self.repeats = repeats
        self.help = help
    }

    package static let help = OptionSpecification("--help", short: "-h", help: "show this text")
}

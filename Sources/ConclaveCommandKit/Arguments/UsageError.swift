/// The command line is not one that the tool understands.
package struct UsageError: Error, Equatable, Sendable {
    /// One sentence without a full stop: what is wrong, and what was probably meant.
    package let message: String

    package init(_ message: String) { self.message = message }
}

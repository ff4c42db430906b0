/// Why a text is no configuration of an ensemble.
package struct EnsembleConfigurationError: Error, Equatable, Sendable {
    /// Counted from 1; 0 when no single line is at fault.
    package var line: Int
    /// A sentence for people.
    package var message: String

    package init(line: Int = 0, message: String) {
        self.line = line
        self.message = message
    }

    static func malformed(_ message: String) -> EnsembleConfigurationError {
        EnsembleConfigurationError(message: message)
    }

    func at(line: Int) -> EnsembleConfigurationError {
        self.line == 0 ? EnsembleConfigurationError(line: line, message: message) : self
    }
}

extension EnsembleConfigurationError: CustomStringConvertible {
    package var description: String { line == 0 ? message : "line \(line): \(message)" }
}

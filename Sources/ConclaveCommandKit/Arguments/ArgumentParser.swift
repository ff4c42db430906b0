import ConclaveCore

/// Divides a command line into options, arguments and the command behind `--`.
///
/// Options are written `--name value`, `--name=value`, `-n value` or `-n=value`; switches take no value.
package struct ArgumentParser: Sendable {
    private let command: CommandSpecification

    package init(_ command: CommandSpecification) { self.command = command }

    package func parse(_ words: [String]) throws(UsageError) -> Arguments {
        var arguments = Arguments()
        guard command.form != .verbatim else {
            arguments.positional = words
            return arguments
        }
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--" {
                take(rest, into: &arguments)
                break
            }
            guard word.hasPrefix("-"), word != "-", !isNegativeNumber(word) else {
                arguments.positional.append(word)
                guard command.form == .optionsFirst else { continue }
                arguments.positional.append(contentsOf: rest)
                break
            }
            try takeOption(word, &rest, into: &arguments)
            // Whoever asks for help is not told about what else is wrong.
            if arguments.has(.help) { return arguments }
        }
        try check(arguments)
        return arguments
    }

    private func take(_ rest: ArraySlice<String>, into arguments: inout Arguments) {
        if command.form == .runsCommand {
            arguments.command = Array(rest)
        } else {
            arguments.positional.append(contentsOf: rest)
        }
    }

    private func takeOption(
        _ word: String, _ rest: inout ArraySlice<String>, into arguments: inout Arguments
    ) throws(UsageError) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let option = command.options.first(where: { $0.name == parts[0] || $0.short == parts[0] }) else {
            throw UsageError("unknown option \(parts[0])" + hint(for: parts[0]))
        }
        if !option.repeats, arguments.has(option) { throw UsageError("\(option.name) is given twice") }
        guard let valueName = option.value else {
            guard parts.count == 1 else { throw UsageError("\(option.name) takes no value") }
            arguments.values[option.name, default: []].append("")
            return
        }
        if parts.count == 2 {
            arguments.values[option.name, default: []].append(parts[1])
        } else if let value = rest.popFirst(), value != "--" {
            arguments.values[option.name, default: []].append(value)
        } else {
            throw UsageError("\(option.name) needs a value (\(valueName))")
        }
    }

    private func hint(for name: String) -> String {
        guard name.hasPrefix("--"), let meant = NearestName.suggestion(for: name, among: command.options.map(\.name))
        else { return "" }
        return "; did you mean \(meant)?"
    }

    private func isNegativeNumber(_ word: String) -> Bool { Int(word) != nil }

    private func check(_ arguments: Arguments) throws(UsageError) {
        let count = arguments.positional.count
        if count < command.arguments.lowerBound {
            throw UsageError("too few arguments; expected: \(command.usage)")
        }
        if count > command.arguments.upperBound {
            let surplus = arguments.positional[command.arguments.upperBound]
            if command.form == .runsCommand {
                throw UsageError("\"\(surplus)\" is too much; put -- before the command to run")
            }
            throw UsageError("\"\(surplus)\" is too much; expected: \(command.usage)")
        }
        if command.form == .runsCommand, arguments.command?.first == nil {
            throw UsageError("the command to run is missing; write it after --")
        }
    }
}

/// A command line, divided.
package struct Arguments: Equatable, Sendable {
    /// The values of every option that was given, by its long name; empty texts for switches.
    fileprivate(set) var values: [String: [String]] = [:]
    package fileprivate(set) var positional: [String] = []
    /// What stands behind `--`, where the command's form is `.runsCommand`.
    package fileprivate(set) var command: [String]?

    package func has(_ option: OptionSpecification) -> Bool { values[option.name] != nil }

    package func text(_ option: OptionSpecification) -> String? { values[option.name]?.last }

    package func texts(_ option: OptionSpecification) -> [String] { values[option.name] ?? [] }

    package func integer(_ option: OptionSpecification, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
        guard let text = text(option) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            let bounds = "from \(range.lowerBound) to \(range.upperBound)"
            throw UsageError("\(option.name) must be a whole number \(bounds), not \"\(text)\"")
        }
        return value
    }

    /// A time: `500ms`, `5s`, `5` (seconds too), `1.5s`, `2m`, `1h`.
    package func duration(_ option: OptionSpecification) throws(UsageError) -> Duration? {
        guard let text = text(option) else { return nil }
        guard let duration = DurationText.parse(text) else {
            throw UsageError("\(option.name) must be a time such as 500ms, 5s, 2m or 1h, not \"\(text)\"")
        }
        return duration
    }
}

/// Writes the help of the tool and of its commands.
package enum HelpText {
    /// The help of one command.
    package static func command(_ command: CommandSpecification, tool: String, style: Style, width: Int) -> String {
        var text = style.bold("Usage:") + " \(tool) \(command.name)"
        text += command.usage.isEmpty ? "\n" : " \(command.usage)\n"
        text += "\n" + wrap(command.summary.prefix(1).uppercased() + command.summary.dropFirst() + ".", width: width)
        for paragraph in command.details.split(separator: "\n\n") {
            text += "\n" + wrap(String(paragraph), width: width)
        }
        let options = command.options.map { option in
            let names = [option.short, option.name].compactMap(\.self).joined(separator: ", ")
            return (names + (option.value.map { " " + $0 } ?? ""), option.help)
        }
        text += "\n" + style.bold("Options:") + "\n" + columns(options, width: width)
        let statuses = [
            (0, "done"), (1, "failed; the reason is on the standard error output"), (2, "wrong command line"),
        ]
        .map { ("\($0.0)", $0.1) }
        let more = command.statuses.map { ("\($0.status)", $0.meaning) }
        text += "\n" + style.bold("Exit status:") + "\n" + columns(statuses + more, width: width)
        return text
    }

    /// The list of commands.
    package static func overview(
        _ commands: [CommandSpecification], tool: String, about: String, style: Style, width: Int
    ) -> String {
        var text = about + "\n\n" + style.bold("Usage:") + " \(tool) COMMAND [OPTIONS] [ARGUMENTS]\n\n"
        text += style.bold("Commands:") + "\n"
        text += columns(commands.filter { !$0.isHidden }.map { ($0.name, $0.summary) }, width: width)
        text += "\n'\(tool) COMMAND --help' explains a command; '\(tool) --version' prints the version.\n"
        return text
    }

    /// Two columns; the right one is wrapped and keeps its indentation.
    package static func columns(_ rows: [(String, String)], width: Int) -> String {
        let left = min(28, rows.map { $0.0.count }.max() ?? 0)
        var text = ""
        for (name, explanation) in rows {
            let lines = wrapped(explanation, width: max(20, width - left - 4))
            let padded =
                name.count > left ? name + "\n" + String(repeating: " ", count: left + 4) : pad(name, to: left + 2)
            text += "  " + padded + (lines.first ?? "") + "\n"
            for line in lines.dropFirst() { text += String(repeating: " ", count: left + 4) + line + "\n" }
        }
        return text
    }

    package static func pad(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func wrap(_ text: String, width: Int) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            // Indented lines are examples; they stay as they are.
            .flatMap { $0.hasPrefix("  ") ? [String($0)] : wrapped(String($0), width: width) }
            .joined(separator: "\n") + "\n"
    }

    private static func wrapped(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        if !line.isEmpty || lines.isEmpty { lines.append(line) }
        return lines
    }
}

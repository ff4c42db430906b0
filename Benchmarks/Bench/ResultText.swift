import Foundation

/// The results as a table for terminals.
enum ResultText {
    static func table(_ results: Results) -> String {
        var lines: [String] = [
            "\(results.machine.processor), \(results.machine.processors) processors, \(results.machine.system)",
            "commit \(results.commit), \(results.swift)",
            "this machine: \(limits(results.machine))",
        ]
        if let share = GeneratorShare(results) { lines.append("load generator: \(share.text)") }
        let subjects = unique(results.figures.map(\.subject))
        let width = (results.figures.map(\.name.count).max() ?? 0) + 2
        for section in unique(results.figures.map(\.section)) {
            lines.append("")
            var head = padded(section, width)
            for subject in subjects { head += right(subject, 20) }
            if subjects.count == 2 { head += right("better by", 14) }
            head += right("p50 µs", 10) + right("p99 µs", 10) + right("CPU µs/op", 11) + right("generator", 11)
            lines.append(head)
            for name in unique(results.figures.filter { $0.section == section }.map(\.name)) {
                lines.append(line(name, subjects, results, width))
            }
        }
        for figure in results.figures {
            for problem in figure.problems { lines.append("failed: \(figure.name) at \(figure.subject): \(problem)") }
        }
        return lines.joined(separator: "\n")
    }

    /// What no server here can be faster than.
    static func limits(_ machine: Results.Machine) -> String {
        var text = "4 KiB appended with fdatasync \(number(machine.syncMicroseconds)) µs"
        if let p99 = machine.syncP99Microseconds { text += " (p99 \(number(p99)) µs)" }
        if let overwrite = machine.overwriteMicroseconds { text += ", overwritten \(number(overwrite)) µs" }
        text += ", \(number(1e6 / max(machine.syncMicroseconds, 0.1))) syncs a second"
        return text + "; bare TCP ping-pong \(number(machine.pingPongMicroseconds)) µs"
    }

    private static func line(_ name: String, _ subjects: [String], _ results: Results, _ width: Int) -> String {
        let found = subjects.map { subject in results.figures.first { $0.name == name && $0.subject == subject } }
        var line = padded(name, width)
        for figure in found {
            guard let figure, let median = figure.median else {
                line += right("-", 20)
                continue
            }
            let spread = figure.values.count > 1 ? " ±\(Int((figure.spread * 50).rounded()))%" : ""
            line += right("\(number(median)) \(figure.unit)\(spread)", 20)
        }
        if subjects.count == 2 {
            line += right(found[0].flatMap { first in found[1].flatMap { ratio(first, $0) } } ?? "", 14)
        }
        for (key, width) in [("p50_us", 10), ("p99_us", 10), ("server_cpu_us", 11), ("generator_cpu_us", 11)] {
            line += right(found.first??.detail(key).map(number) ?? "", width)
        }
        while line.hasSuffix(" ") { line.removeLast() }
        return line
    }

    /// How much better the first is, with the spread of the repetitions' ratios.
    static func ratio(_ first: Figure, _ second: Figure) -> String? {
        let ratios = zip(first.values, second.values).filter { $0 > 0 && $1 > 0 }.map {
            first.moreIsBetter ? $0 / $1 : $1 / $0
        }
        guard let median = Figure.median(ratios), let low = ratios.min(), let high = ratios.max() else { return nil }
        let spread = ratios.count > 1 ? String(format: " (%.1f–%.1f)", low, high) : ""
        return String(format: "×%.2f", median) + spread
    }

    /// Three significant digits, as plain as they can be.
    static func number(_ value: Double) -> String {
        if value >= 100 { return grouped(Int(value.rounded())) }
        return String(format: value >= 10 ? "%.1f" : "%.2f", value)
    }

    static func grouped(_ value: Int) -> String {
        value.formatted(.number.grouping(.automatic).locale(.init(identifier: "en")))
    }

    /// Without digits that say nothing: 20, 1.5.
    static func plain(_ value: Double) -> String {
        value == value.rounded() ? String(format: "%.0f", value) : String(format: "%.3g", value)
    }

    static func unique(_ texts: [String]) -> [String] {
        var found: [String] = []
        for text in texts where !found.contains(text) { found.append(text) }
        return found
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }
}

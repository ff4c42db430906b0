import Foundation

/// One line of results: which server, which workload, which round, and the numbers.
struct ResultLine: Codable {
    var server: String
    var workload: String
    var values: [String: Double]

    func print() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        Swift.print(String(decoding: try encoder.encode(self), as: UTF8.self))
    }

    static func read(_ path: String) throws -> [ResultLine] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        return try text.split(separator: "\n").map { try JSONDecoder().decode(ResultLine.self, from: Data($0.utf8)) }
    }
}

/// Medians of all rounds side by side, as a table for people and as JSON.
struct ResultTable {
    let lines: [ResultLine]
    /// The server that the others are compared with.
    let base: String

    private struct Summary: Codable {
        var workload: String
        var server: String
        var rounds: Int
        var medians: [String: Double]
        var smallest: [String: Double]
        var largest: [String: Double]
    }

    private var workloads: [String] {
        var seen: [String] = []
        for line in lines where !seen.contains(line.workload) { seen.append(line.workload) }
        return seen
    }

    private var servers: [String] {
        let others = Set(lines.map(\.server)).subtracting([base]).sorted()
        return lines.contains { $0.server == base } ? [base] + others : others
    }

    private func summary(_ workload: String, _ server: String) -> Summary? {
        let found = lines.filter { $0.workload == workload && $0.server == server }
        guard !found.isEmpty else { return nil }
        var summary = Summary(
            workload: workload, server: server, rounds: found.count, medians: [:], smallest: [:], largest: [:])
        for key in Set(found.flatMap(\.values.keys)) {
            let sorted = found.compactMap { $0.values[key] }.sorted()
            guard let first = sorted.first, let last = sorted.last else { continue }
            let middle = sorted.count / 2
            summary.medians[key] = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
            summary.smallest[key] = first
            summary.largest[key] = last
        }
        return summary
    }

    func writeJSON(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let all = workloads.flatMap { workload in servers.compactMap { summary(workload, $0) } }
        try encoder.encode(all).write(to: URL(fileURLWithPath: path))
    }

    /// The columns: key, heading, digits, and whether more is better.
    private static let columns: [(key: String, heading: String, digits: Int, moreIsBetter: Bool)] = [
        ("per_second", "ops/s", 0, true), ("p50_us", "p50 µs", 0, false), ("p99_us", "p99 µs", 0, false),
        ("server_cpu_us", "CPU µs/op", 1, false), ("generator_cpu_us", "generator µs/op", 1, false),
        ("first_write_ms", "first write ms", 0, false), ("resident_mb", "resident MB", 0, false),
    ]

    func text() -> String {
        var rows: [[String]] = [["workload", "server"] + Self.columns.map(\.heading)]
        for workload in workloads {
            let summaries = servers.compactMap { summary(workload, $0) }
            for summary in summaries {
                rows.append([workload, summary.server] + Self.columns.map { number(summary, $0.key, $0.digits) })
            }
            guard let first = summaries.first, first.server == base else { continue }
            for other in summaries.dropFirst() {
                rows.append(["", "\(other.server) is better by"] + Self.columns.map { ratio(other, first, $0) })
            }
        }
        return Self.aligned(rows)
    }

    private func number(_ summary: Summary, _ key: String, _ digits: Int) -> String {
        guard let value = summary.medians[key] else { return "" }
        return String(format: "%.\(digits)f", value)
    }

    private func ratio(
        _ other: Summary, _ base: Summary,
        _ column: (key: String, heading: String, digits: Int, moreIsBetter: Bool)
    ) -> String {
        guard column.key != "generator_cpu_us", let mine = other.medians[column.key],
            let theirs = base.medians[column.key], mine > 0, theirs > 0
        else { return "" }
        return String(format: "×%.2f", column.moreIsBetter ? mine / theirs : theirs / mine)
    }

    private static func aligned(_ rows: [[String]]) -> String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { index, cell in
                let padding = String(repeating: " ", count: widths[index] - cell.count)
                return index < 2 ? cell + padding : padding + cell
            }
            var line = cells.joined(separator: "  ")
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}

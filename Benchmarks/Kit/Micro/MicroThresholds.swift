import Foundation

/// What one micro benchmark counted, per operation.
package struct MicroCounts: Equatable, Sendable {
    package let name: String
    /// `nil` where nothing on this machine counts them.
    package var instructions: Double?
    package var allocations: Double?

    package init(name: String, instructions: Double?, allocations: Double?) {
        self.name = name
        self.instructions = instructions
        self.allocations = allocations
    }
}

/// The committed limits of the micro benchmarks, and how counts are judged by them.
///
/// One line for each: name, instructions, allocations, both per operation. Lines that begin with `#` are comments; the line
/// `platform NAME` says whose instructions were counted, for another processor's cannot be compared.
package struct MicroThresholds: Equatable, Sendable {
    package struct Limit: Equatable, Sendable {
        package let name: String
        package let instructions: Double
        package let allocations: Double
    }

    package let platform: String
    package let limits: [Limit]

    /// How far above what was counted a new limit is set: compilers and libraries move the counts a little.
    static let slack = 1.05
    /// Below this share of its limit a count has improved so much that the limit is worth nothing any more.
    static let improvement = 0.8

    package init(_ text: String) throws(LoadError) {
        var platform: String?
        var limits: [Limit] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(separator: " ").map(String.init)
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            if first == "platform", words.count == 2 {
                platform = words[1]
                continue
            }
            guard words.count == 3, let instructions = Double(words[1]), let allocations = Double(words[2]),
                !limits.contains(where: { $0.name == first })
            else {
                throw LoadError("line \(index + 1) of the thresholds is not a new NAME INSTRUCTIONS ALLOCATIONS")
            }
            limits.append(Limit(name: first, instructions: instructions, allocations: allocations))
        }
        guard let platform else { throw LoadError("the thresholds do not say for which platform they are") }
        self.platform = platform
        self.limits = limits
    }

    /// New limits, a little above what was counted.
    package init(platform: String, counts: [MicroCounts]) {
        self.platform = platform
        limits = counts.map { count in
            Limit(
                name: count.name, instructions: ((count.instructions ?? 0) * Self.slack).rounded(.up),
                // A whole allocation more per operation is always a change; parts come from buffers that grow.
                allocations: ((count.allocations ?? 0) * Self.slack * 100).rounded(.up) / 100)
        }
    }

    package var text: String {
        let width = (limits.map(\.name.count).max() ?? 0) + 2
        var lines = [
            "# Limits of the micro benchmarks per operation: name, instructions, allocations. Written by",
            "# `MicroBenchmarks update`, \(Int(((Self.slack - 1) * 100).rounded()))% above what was counted;"
                + " `MicroBenchmarks check` compares.",
            "platform \(platform)",
        ]
        for limit in limits {
            let name = limit.name + String(repeating: " ", count: width - limit.name.count)
            let instructions = String(format: "%9.0f", limit.instructions)
            lines.append("\(name)\(instructions) \(String(format: "%8.2f", limit.allocations))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What is to be said about the counts.
    package struct Judgement: Equatable, Sendable {
        /// Limits passed, and cases and limits that do not belong together.
        package var failures: [String] = []
        /// What was not compared, and limits that have become too generous.
        package var notes: [String] = []
    }

    /// - Parameter isPart: whether only some of the cases were counted, so that limits may lack a count.
    package func judge(_ counts: [MicroCounts], on platform: String, isPart: Bool = false) -> Judgement {
        var judgement = Judgement()
        let comparesInstructions = platform == self.platform
        if !comparesInstructions {
            judgement.notes.append("the limits are for \(self.platform): instructions were not compared")
        } else if counts.contains(where: { $0.instructions == nil }) {
            judgement.notes.append("instructions were not counted and not compared")
        }
        if counts.contains(where: { $0.allocations == nil }) {
            judgement.notes.append("allocations cannot be counted here and were not compared")
        }
        for count in counts {
            guard let limit = limits.first(where: { $0.name == count.name }) else {
                judgement.failures.append("\(count.name) has no limit")
                continue
            }
            if comparesInstructions {
                compare(count.name, "instructions", count.instructions, limit.instructions, &judgement)
            }
            compare(count.name, "allocations", count.allocations, limit.allocations, &judgement)
        }
        for limit in limits where !isPart && !counts.contains(where: { $0.name == limit.name }) {
            judgement.failures.append("\(limit.name) has a limit and is not there")
        }
        return judgement
    }

    private func compare(
        _ name: String, _ what: String, _ count: Double?, _ limit: Double, _ judgement: inout Judgement
    ) {
        guard let count else { return }
        let found = String(format: "%.2f", count)
        if count > limit {
            let share = limit > 0 ? String(format: ", %.0f%% too many", (count / limit - 1) * 100) : ""
            judgement.failures.append(
                "\(name): \(found) \(what), the limit is \(String(format: "%.2f", limit))\(share)")
        } else if count < limit * Self.improvement, limit - count >= 1 {
            judgement.notes.append(
                "\(name): \(found) \(what), far below the limit of \(String(format: "%.2f", limit)): lower it")
        }
    }
}

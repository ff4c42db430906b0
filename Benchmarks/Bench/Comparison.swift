import Foundation

/// What has changed between two runs, and what is within the noise of either.
///
/// A case has changed if its median moved by more than the noise, and if no repetition of one run lies among those of the other.
/// The noise is the largest of what the same server against itself scatters anyway, of either run's own scatter, and of what the
/// machine itself has changed: a slower disk makes slower writes, whatever the server.
struct Comparison {
    enum Verdict: String {
        case faster = "better"
        case slower = "worse"
        case same = "no change"
    }

    struct Change {
        let name: String
        let unit: String
        let before: Double
        let now: Double
        /// By how much it is better, as a factor.
        let factor: Double
        /// The smallest distance from 1 that means something: 0.12 for 12%.
        let noise: Double
        let verdict: Verdict

        /// How many times the noise the change is; both on a logarithmic scale.
        var timesNoise: Double { abs(log(factor)) / log(1 + noise) }
    }

    let changes: [Change]
    /// Cases that only one of the runs has, or that failed in one.
    let missing: [String]
    /// By how much the machine has become better, as factors: its disk and its loopback.
    let disk: Double
    let loopback: Double

    /// What counts as no change even if the repetitions agree better than that.
    static let leastNoise = 0.12
    /// The same where a case ran less than three times, so that its scatter is not known.
    static let noiseOfFew = 0.3

    init(before: Results, now: Results) {
        let disk = Self.ratio(before.machine.syncMicroseconds, now.machine.syncMicroseconds)
        let loopback = Self.ratio(before.machine.pingPongMicroseconds, now.machine.pingPongMicroseconds)
        var missing: [String] = []
        changes = now.figures.compactMap { figure in
            let name = "\(figure.name) (\(figure.subject))"
            guard let old = before.figures.first(where: { $0.name == figure.name && $0.subject == figure.subject }),
                old.problems.isEmpty, figure.problems.isEmpty, let was = old.median, let median = figure.median,
                was > 0, median > 0
            else {
                missing.append(name)
                return nil
            }
            let factor = figure.moreIsBetter ? median / was : was / median
            // Reads never wait for the disk.
            let machine = figure.isRead ? abs(log(loopback)) : max(abs(log(loopback)), abs(log(disk)))
            let noise = max(
                min(old.values.count, figure.values.count) < 3 ? Self.noiseOfFew : Self.leastNoise, old.spread,
                figure.spread, exp(machine) - 1)
            return Change(
                name: name, unit: figure.unit, before: was, now: median, factor: factor, noise: noise,
                verdict: Self.verdict(factor, noise, isApart: Self.areApart(old.values, figure.values)))
        }
        for old in before.figures
        where !now.figures.contains(where: { $0.name == old.name && $0.subject == old.subject }) {
            missing.append("\(old.name) (\(old.subject))")
        }
        self.missing = missing
        self.disk = disk
        self.loopback = loopback
    }

    private static func verdict(_ factor: Double, _ noise: Double, isApart: Bool) -> Verdict {
        guard isApart else { return .same }
        return if factor > 1 + noise { .faster } else if factor < 1 / (1 + noise) { .slower } else { .same }
    }

    /// Whether every value of one list lies on the same side of every value of the other.
    private static func areApart(_ first: [Double], _ second: [Double]) -> Bool {
        guard let low = first.min(), let high = first.max(), let from = second.min(), let to = second.max() else {
            return false
        }
        return high < from || to < low
    }

    private static func ratio(_ before: Double, _ now: Double) -> Double {
        before > 0 && now > 0 ? before / now : 1
    }

    var changed: [Change] {
        changes.filter { $0.verdict != .same }.sorted { $0.timesNoise > $1.timesNoise }
    }

    /// The geometric mean of all factors: what moves everything a little shows here first.
    var together: Double {
        changes.isEmpty ? 1 : exp(changes.map { log($0.factor) }.reduce(0, +) / Double(changes.count))
    }

    var summary: String {
        let better = changes.filter { $0.verdict == .faster }.count
        let worse = changes.filter { $0.verdict == .slower }.count
        let verdict = better + worse == 0 ? "no change" : "\(better) better, \(worse) worse"
        var text = "\(changes.count) cases: \(verdict); all together ×\(String(format: "%.2f", together))"
        if abs(log(disk)) > 0.1 || abs(log(loopback)) > 0.1 {
            text += String(
                format: "; the machine itself has changed: its disk is ×%.2f, its loopback ×%.2f as quick", disk,
                loopback)
        }
        return text
    }

    var text: String {
        var lines = ["", "compared with the earlier run, \(summary)"]
        for change in changed { lines.append("  \(Self.line(change))") }
        if !missing.isEmpty { lines.append("  not compared: \(missing.joined(separator: ", "))") }
        return lines.joined(separator: "\n")
    }

    static func line(_ change: Change) -> String {
        "\(change.verdict.rawValue): \(change.name) \(ResultText.number(change.before)) → "
            + "\(ResultText.number(change.now)) \(change.unit), ×\(String(format: "%.2f", change.factor)), "
            + "\(String(format: "%.1f", change.timesNoise)) times the noise of \(Int((change.noise * 100).rounded()))%"
    }
}

extension Figure {
    /// Whether nothing in the case waits for a disk.
    fileprivate var isRead: Bool {
        ["get-", "exists-", "children-"].contains { name.hasPrefix($0) } || name == "ratio-100"
    }
}

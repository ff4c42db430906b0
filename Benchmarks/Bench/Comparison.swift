import Foundation

/// What has changed between two runs, and what is within the noise of either.
struct Comparison {
    enum Verdict: String {
        case faster = "better"
        case slower = "worse"
        case same = "no change"
    }

    struct Change {
        let name: String
        let before: Double
        let now: Double
        /// By how much it is better, as a factor.
        let factor: Double
        let noise: Double
        let verdict: Verdict
    }

    let changes: [Change]

    /// What counts as no change even if the repetitions agree better than that: the same server against itself scatters
    /// between 0.90 and 1.11.
    static let leastNoise = 0.12

    init(before: Results, now: Results) {
        changes = now.figures.compactMap { figure in
            guard let old = before.figures.first(where: { $0.name == figure.name && $0.subject == figure.subject }),
                let was = old.median, let is_ = figure.median, was > 0, is_ > 0
            else { return nil }
            let factor = figure.moreIsBetter ? is_ / was : was / is_
            let noise = max(Self.leastNoise, old.spread, figure.spread)
            let verdict: Verdict =
                if factor > 1 + noise { .faster } else if factor < 1 / (1 + noise) { .slower } else { .same }
            return Change(
                name: "\(figure.name) (\(figure.subject))", before: was, now: is_, factor: factor, noise: noise,
                verdict: verdict)
        }
    }

    var text: String {
        let changed = changes.filter { $0.verdict != .same }
        var lines = ["", "compared with the earlier run: \(changes.count) cases, \(changed.count) changed"]
        for change in changed.sorted(by: { abs(log($0.factor)) > abs(log($1.factor)) }) {
            lines.append(
                "  \(change.verdict.rawValue): \(change.name) ×\(String(format: "%.2f", change.factor)), noise "
                    + "\(Int((change.noise * 100).rounded()))% (\(ResultText.number(change.before)) → "
                    + "\(ResultText.number(change.now)))")
        }
        if changed.isEmpty { lines.append("  no change") }
        return lines.joined(separator: "\n")
    }
}

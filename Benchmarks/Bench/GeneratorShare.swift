/// The load generator's processor time beside the servers': where it is more than half, the generator may be what was measured.
struct GeneratorShare {
    /// The case in which it is largest.
    let name: String
    let share: Double
    /// Cases in which it is more than half.
    let above: [String]
    let count: Int

    /// - Returns: `nil` if no case has both.
    init?(_ results: Results) {
        let found: [(name: String, share: Double)] = results.figures.compactMap { figure in
            // At a fixed rate both mostly wait; there lateness tells whether the generator kept up.
            guard figure.detail("late_p99_us") == nil, let servers = figure.detail("server_cpu_us"),
                let generator = figure.detail("generator_cpu_us"),
                servers > 0
            else { return nil }
            return ("\(figure.name) (\(figure.subject))", generator / servers)
        }
        guard let largest = found.max(by: { $0.share < $1.share }) else { return nil }
        name = largest.name
        share = largest.share
        above = found.filter { $0.share > 0.5 }.map(\.name)
        count = found.count
    }

    var text: String {
        let most = "at most \(Int((share * 100).rounded()))% of the servers' processor time, in \(name)"
        guard !above.isEmpty else { return most }
        let names = above.prefix(4).joined(separator: ", ") + (above.count > 4 ? ", …" : "")
        return "\(most); more than half in \(above.count) of \(count) cases: \(names)"
    }
}

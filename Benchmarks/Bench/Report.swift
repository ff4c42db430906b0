import Foundation

/// `report.html`: one file that tells a stranger what was measured and what came out.
struct Report {
    let results: Results
    let subjects: [String]
    private let comparison: Comparison?

    init(_ results: Results, _ comparison: Comparison? = nil) {
        self.results = results
        self.comparison = comparison
        subjects = ResultText.unique(results.figures.map(\.subject))
    }

    var html: String {
        """
        <!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>Conclave benchmark</title><style>\(ReportStyle.css)</style><main>
        <h1>Conclave benchmark</h1>
        <p class="lead">\(lead)</p>
        \(facts)\(problems)\(changes)\(ratios)\(latencies)\(rates)\(shapes)\(availability)\(recovery)\(recipes)\(tables)
        <footer>Medians of \(repetitions) of \(text(results.settings.seconds)) s each, warm-up not
        counted; ± is half of the distance between the best and the worst. Operations that failed are in no figure. The load
        generator and all servers share this machine. Latencies are counted from the moment a request is queued, at fixed
        arrival rates from the moment it was due.</footer>
        </main></html>

        """
    }

    // MARK: - Head

    func name(_ subject: String) -> String {
        switch subject {
        case "conclave": "Conclave"
        case "apache": "Apache ZooKeeper"
        default: results.settings.hosts ?? subject
        }
    }

    func figure(_ name: String, _ subject: String) -> Figure? {
        results.figures.first { $0.name == name && $0.subject == subject }
    }

    private var repetitions: String {
        results.settings.repetitions == 1 ? "one run" : "\(results.settings.repetitions) repetitions"
    }

    private var lead: String {
        let count = results.settings.servers + results.settings.observers
        var text =
            results.settings.hosts.map {
                "The ensemble at \($0), whose machines and settings this report does not know. "
            }
            ?? "\(count) server\(count == 1 ? "" : "s") on one machine, every write synced to disk before it is acknowledged. "
        if let set = figure("set-8x64", "conclave")?.median, let get = figure("get-8x64", "conclave")?.median {
            text += "\(ResultText.number(get)) reads or \(ResultText.number(set)) writes a second at the leader"
            if let theirGet = figure("get-8x64", "apache")?.median, let theirSet = figure("set-8x64", "apache")?.median
            {
                text += String(
                    format: ", %.1f and %.1f times what Apache ZooKeeper does beside it", get / theirGet, set / theirSet
                )
            }
            text += ". "
        }
        if let gap = figure("leader-killed", "conclave")?.median {
            text += "When the leader is killed, writes rest for \(ResultText.number(gap)) ms. "
        }
        return Charts.escaped(text)
    }

    private var facts: String {
        let machine = results.machine
        let rows = [
            (
                "Machine",
                "\(machine.processor), \(machine.processors) processors, \(machine.memoryMB) MB, \(machine.system)"
            ),
            (
                "Its limits",
                ResultText.limits(machine)
            ),
            ("Load generator", generator),
            ("Measured", "commit \(results.commit), \(results.swift), \(results.date)"),
        ]
        return "<dl>" + rows.map { "<dt>\($0)</dt><dd>\(Charts.escaped($1))</dd>" }.joined() + "</dl>"
    }

    private var generator: String {
        guard let share = GeneratorShare(results) else { return "not compared: the servers' processor time is unknown" }
        return share.text
    }

    private var changes: String {
        guard let comparison else { return "" }
        let items = comparison.changed.map {
            "<li class='\($0.verdict.rawValue)'>\(Charts.escaped(Comparison.line($0)))</li>"
        }
        let list = items.isEmpty ? "" : "<ul>\(items.joined())</ul>"
        return section("Compared with the earlier run", Charts.escaped(comparison.summary + "."), list)
    }

    private var problems: String {
        let all = results.figures.flatMap { figure in
            figure.problems.map { "\(figure.name) at \(name(figure.subject)): \($0)" }
        }
        guard !all.isEmpty else { return "" }
        return
            "<div class='problems'><h2>Not everything went well</h2><p>Operations failed. They are in no figure, but the "
            + "figures of these cases are not to be trusted.</p><ul>"
            + all.map { "<li>\(Charts.escaped($0))</li>" }.joined() + "</ul></div>"
    }

    // MARK: - Tables

    private var tables: String {
        let sections = ResultText.unique(results.figures.map(\.section))
        return section("All figures", "", sections.map(table).joined())
    }

    private func table(_ section: String) -> String {
        var head = "<tr><th>\(section)</th>" + subjects.map { "<th>\(Charts.escaped(name($0)))</th>" }.joined()
        if subjects.count == 2 { head += "<th>better by</th>" }
        let whose = subjects.count == 2 ? "<br><small>\(Charts.escaped(name(subjects[0])))</small>" : ""
        head +=
            "<th>p50 µs\(whose)</th><th>p99 µs\(whose)</th><th>CPU µs/op,<br>all servers</th>"
            + "<th>generator<br>µs/op</th></tr>"
        let rows = ResultText.unique(results.figures.filter { $0.section == section }.map(\.name)).map {
            name -> String in
            let found = subjects.map { figure(name, $0) }
            let text = found.compactMap { $0 }.first?.text ?? ""
            var row = "<tr><td><b>\(name)</b><br><small>\(Charts.escaped(text))</small></td>"
            for figure in found {
                guard let figure, let median = figure.median else {
                    row += "<td>–</td>"
                    continue
                }
                let spread =
                    figure.values.count > 1 ? "<br><small>±\(Int((figure.spread * 50).rounded()))%</small>" : ""
                let also = figure.also.isEmpty ? "" : "<br><small>\(Charts.escaped(figure.also))</small>"
                row += "<td>\(ResultText.number(median)) \(figure.unit)\(spread)\(also)</td>"
            }
            if subjects.count == 2 {
                let ratio = found[0].flatMap { first in found[1].flatMap { ResultText.ratio(first, $0) } }
                row += "<td>\(ratio ?? "")</td>"
            }
            for key in ["p50_us", "p99_us", "server_cpu_us", "generator_cpu_us"] {
                row += "<td>\(found.first??.detail(key).map(ResultText.number) ?? "")</td>"
            }
            return row + "</tr>"
        }
        return "<div class='wide'><table>\(head)\(rows.joined())</table></div>"
    }

    func section(_ title: String, _ text: String, _ content: String) -> String {
        "<section><h2>\(title)</h2>\(text.isEmpty ? "" : "<p>\(text)</p>")\(content)</section>"
    }

    private func text(_ value: Double) -> String { value == value.rounded() ? "\(Int(value))" : "\(value)" }
}

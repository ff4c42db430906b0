import Foundation

/// `report.html`: one file that tells a stranger what was measured and what came out.
struct Report {
    private let results: Results
    private let subjects: [String]

    init(_ results: Results) {
        self.results = results
        subjects = ResultText.unique(results.figures.map(\.subject))
    }

    var html: String {
        """
        <!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>Conclave benchmark</title><style>\(Self.style)</style><main>
        <h1>Conclave benchmark</h1>
        <p class="lead">\(lead)</p>
        \(facts)\(problems)\(ratios)\(latencies)\(availability)\(recipes)\(tables)
        <footer>Medians of \(results.settings.repetitions) repetitions of \(text(results.settings.seconds)) s each, warm-up not
        counted; ± is half of the distance between the best and the worst. Operations that failed are in no figure. The load
        generator and all servers share this machine. Latencies are counted from the moment a request is queued.</footer>
        </main></html>

        """
    }

    // MARK: - Head

    private func name(_ subject: String) -> String {
        switch subject {
        case "conclave": "Conclave"
        case "apache": "Apache ZooKeeper"
        default: results.settings.hosts ?? subject
        }
    }

    private func figure(_ name: String, _ subject: String) -> Figure? {
        results.figures.first { $0.name == name && $0.subject == subject }
    }

    private var lead: String {
        let count = results.settings.servers + results.settings.observers
        var text =
            "\(count) server\(count == 1 ? "" : "s") on one machine, every write synced to disk before it is acknowledged. "
        if let set = figure("set-8x64", "conclave")?.median, let get = figure("get-8x64", "conclave")?.median {
            text += "\(ResultText.number(get)) reads or \(ResultText.number(set)) writes a second at the leader. "
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
                "fdatasync of 4 KiB \(ResultText.number(machine.syncMicroseconds)) µs, bare TCP ping-pong "
                    + "\(ResultText.number(machine.pingPongMicroseconds)) µs"
            ),
            ("Measured", "commit \(results.commit), \(results.swift), \(results.date)"),
        ]
        return "<dl>" + rows.map { "<dt>\($0)</dt><dd>\(Charts.escaped($1))</dd>" }.joined() + "</dl>"
    }

    private var problems: String {
        let all = results.figures.flatMap { figure in
            figure.problems.map { "\(figure.name) at \(name(figure.subject)): \($0)" }
        }
        guard !all.isEmpty else { return "" }
        return "<div class='problems'><h2>Not everything went well</h2><ul>"
            + all.map { "<li>\(Charts.escaped($0))</li>" }.joined() + "</ul></div>"
    }

    // MARK: - Charts

    private var ratios: String {
        let series = subjects.map { subject in
            Charts.Series(
                name: name(subject),
                points: results.figures.filter { $0.subject == subject && $0.name.hasPrefix("ratio-") }.compactMap {
                    guard let percent = Double($0.name.dropFirst(6)), let value = $0.median else { return nil }
                    return (percent, value)
                }.sorted { $0.x < $1.x })
        }.filter { $0.points.count > 1 }
        guard !series.isEmpty else { return "" }
        return section(
            "Throughput over the share of reads", "16 connections with 8 requests in flight each; 100-byte values.",
            Charts.lines(
                series, xTitle: "reads in 100 requests", yTitle: "requests a second",
                xLabels: [0, 25, 50, 75, 100].map { ($0, "\(Int($0))%") }, isLogarithmic: true))
    }

    private static let percentiles = [
        ("p50_us", "p50"), ("p90_us", "p90"), ("p99_us", "p99"), ("p999_us", "p99.9"), ("p9999_us", "p99.99"),
    ]

    private var latencies: String {
        let charts = ["get-1x1", "set-1x1", "set-8x64"].compactMap { name -> String? in
            let series = subjects.compactMap { subject -> Charts.Series? in
                guard let figure = figure(name, subject), figure.detail("p50_us") != nil else { return nil }
                return Charts.Series(
                    name: self.name(subject),
                    points: Self.percentiles.enumerated().compactMap { place, key in
                        figure.detail(key.0).map { (Double(place), $0) }
                    })
            }
            guard let first = figure(name, subjects[0]), !series.isEmpty else { return nil }
            return "<h3>\(name)</h3><p>\(Charts.escaped(first.text))</p>"
                + Charts.lines(
                    series, xTitle: "percentile", yTitle: "µs",
                    xLabels: Self.percentiles.enumerated().map { (Double($0), $1.1) }, isLogarithmic: true)
        }
        return charts.isEmpty ? "" : section("Latency", "How long the slowest requests take.", charts.joined())
    }

    private var availability: String {
        let charts = ResultText.unique(results.figures.filter { $0.timeline != nil }.map(\.name)).compactMap {
            name -> String? in
            let found = subjects.compactMap { figure(name, $0) }
            guard let first = found.first, let mark = first.timeline?.failureAtMilliseconds else { return nil }
            let series = found.compactMap { figure -> Charts.Series? in
                guard let timeline = figure.timeline else { return nil }
                return Charts.Series(
                    name: self.name(figure.subject),
                    points: timeline.counts.enumerated().map { slice, count in
                        // Each line is shifted to where its own failure struck.
                        let time = Double(slice) * timeline.sliceMilliseconds - timeline.failureAtMilliseconds + mark
                        return (time, Double(count) * 1_000 / timeline.sliceMilliseconds)
                    })
            }
            let gaps = found.compactMap { figure in
                figure.median.map { "\(self.name(figure.subject)): \(ResultText.number($0)) ms without a write" }
            }
            return "<h3>\(Charts.escaped(first.text))</h3><p>\(Charts.escaped(gaps.joined(separator: "; ")))</p>"
                + Charts.lines(
                    series, xTitle: "milliseconds", yTitle: "acknowledged writes a second",
                    xLabels: (0...8).map { (Double($0) * 1_000, "\($0 * 1_000)") }.filter { label in
                        label.0 <= (series.first?.points.last?.x ?? 0)
                    }, marks: [(mark, "failure")])
        }
        return charts.isEmpty ? "" : section("When servers fail", "Eight clients write all the time.", charts.joined())
    }

    private var recipes: String {
        let names = ResultText.unique(results.figures.filter { $0.section == "Recipes" }.map(\.name))
        let groups = names.compactMap { name -> (String, [(series: String, value: Double, text: String)])? in
            let values = subjects.compactMap { subject -> (series: String, value: Double, text: String)? in
                guard let figure = figure(name, subject), let median = figure.median else { return nil }
                return ("on \(self.name(subject))", median, "\(ResultText.number(median)) \(figure.unit)")
            }
            return values.isEmpty ? nil : (name, values)
        }
        guard !groups.isEmpty else { return "" }
        return section("Recipes", "Each in its own unit: /s is better long, ms is better short.", Charts.bars(groups))
    }

    // MARK: - Tables

    private var tables: String {
        let sections = ResultText.unique(results.figures.map(\.section))
        return section("All figures", "", sections.map(table).joined())
    }

    private func table(_ section: String) -> String {
        var head = "<tr><th>\(section)</th>" + subjects.map { "<th>\(Charts.escaped(name($0)))</th>" }.joined()
        if subjects.count == 2 { head += "<th>better by</th>" }
        head += "<th>p50 µs</th><th>p99 µs</th><th>CPU µs/op, all servers</th><th>generator µs/op</th></tr>"
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
                row += "<td>\(ResultText.number(median)) \(figure.unit)\(spread)</td>"
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
        return "<table>\(head)\(rows.joined())</table>"
    }

    private func section(_ title: String, _ text: String, _ content: String) -> String {
        "<section><h2>\(title)</h2>\(text.isEmpty ? "" : "<p>\(text)</p>")\(content)</section>"
    }

    private func text(_ value: Double) -> String { value == value.rounded() ? "\(Int(value))" : "\(value)" }

    private static let style = """
        :root{color-scheme:light dark;--ink:#1c2430;--soft:#66717f;--line:#dfe4ea;--paper:#fff;--a:#2563c9;--b:#d9622b;--c:#2f9461;
        --d:#8a4fb5}@media(prefers-color-scheme:dark){:root{--ink:#e8ecf1;--soft:#9aa5b3;--line:#333c48;--paper:#14181e;--a:#6ea4ff;
        --b:#ff9a66;--c:#5cc791;--d:#c08be8}}body{background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;
        margin:0}main{max-width:760px;margin:0 auto;padding:32px 20px 60px}h1{font-size:30px;margin:0 0 8px}h2{margin:44px 0 4px}
        h3{margin:24px 0 0;font-size:17px}p{margin:4px 0 10px;color:var(--soft)}.lead{font-size:19px;color:var(--ink)}
        dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;font-size:14px}dt{color:var(--soft)}dd{margin:0}
        svg{width:100%;height:auto;display:block}.grid{stroke:var(--line)}.tick,.title,.value,.name,.marktext{fill:var(--soft);
        font:12px system-ui,sans-serif}.name{fill:var(--ink)}.mark{stroke:#c33;stroke-dasharray:4 3}.marktext{fill:#c33}
        .series{fill:none;stroke-width:2.2;stroke-linejoin:round}.series.s0{stroke:var(--a)}.series.s1{stroke:var(--b)}
        .series.s2{stroke:var(--c)}.series.s3{stroke:var(--d)}.dot.s0,.bar.s0{fill:var(--a)}.dot.s1,.bar.s1{fill:var(--b)}
        .dot.s2,.bar.s2{fill:var(--c)}.dot.s3,.bar.s3{fill:var(--d)}.legend{font-size:14px}.key{margin-right:20px}.key i{
        display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px}.key i.s0{background:var(--a)}
        .key i.s1{background:var(--b)}.key i.s2{background:var(--c)}.key i.s3{background:var(--d)}table{border-collapse:collapse;
        width:100%;font-size:13px;margin:18px 0;display:block;overflow-x:auto}th,td{text-align:right;padding:5px 8px;
        border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}th:first-child,td:first-child{text-align:left;
        white-space:normal;min-width:190px}th{color:var(--soft);font-weight:600}small{color:var(--soft)}.problems{border:1px solid
        #c33;border-radius:8px;padding:0 18px;margin:20px 0}footer{margin-top:40px;font-size:13px;color:var(--soft)}
        """
}

import Foundation

/// The charts, each with a sentence that says what it shows.
extension Report {
    private func points(_ prefix: String, _ subject: String, detail: String? = nil) -> [(number: Double, value: Double)]
    {
        results.figures.filter { $0.subject == subject && $0.name.hasPrefix(prefix) }.compactMap { figure in
            guard let number = Double(figure.name.dropFirst(prefix.count)) else { return nil }
            return (detail.map { figure.detail($0) } ?? figure.median).map { (number, $0) }
        }.sorted { $0.number < $1.number }
    }

    /// A number as people say it: 20 k.
    private func short(_ value: Double) -> String {
        value >= 1_000 ? "\(ResultText.plain(value / 1_000)) k" : ResultText.plain(value)
    }

    var ratios: String {
        let series = subjects.map { subject in
            Charts.Series(name: name(subject), points: points("ratio-", subject).map { ($0.number, $0.value) })
        }.filter { $0.points.count > 1 }
        guard !series.isEmpty else { return "" }
        return section(
            "Throughput over the share of reads",
            "Every server answers reads from its memory; every write goes through the log of a majority. 16 connections with 8 "
                + "requests in flight each, 100-byte values.",
            Charts.lines(
                series, xTitle: "reads in 100 requests", yTitle: "requests a second",
                xLabels: [0, 25, 50, 75, 100].map { ($0, "\(Int($0))%") }, isLogarithmic: true))
    }

    private static let percentiles = [
        ("p50_us", "p50"), ("p90_us", "p90"), ("p99_us", "p99"), ("p999_us", "p99.9"), ("p9999_us", "p99.99"),
    ]

    /// The limit of the machine that belongs to an operation, as a line across a chart of latencies.
    private func limit(_ name: String) -> [(y: Double, text: String)] {
        guard results.settings.hosts == nil else { return [] }
        return name.hasPrefix("get")
            ? [(results.machine.pingPongMicroseconds, "bare TCP ping-pong")]
            : [(results.machine.syncMicroseconds, "one sync of the disk")]
    }

    var latencies: String {
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
            return "<h3>\(Charts.escaped(first.text)) <small>\(name)</small></h3>"
                + Charts.lines(
                    series, xTitle: "percentile", yTitle: "µs",
                    xLabels: Self.percentiles.enumerated().map { (Double($0), $1.1) }, isLogarithmic: true,
                    references: limit(name))
        }
        guard !charts.isEmpty else { return "" }
        return section(
            "Latency", "How long the slowest requests take: p99 is the time that one request in a hundred exceeds.",
            charts.joined())
    }

    var rates: String {
        let charts = [("get-rate-", "getData"), ("set-rate-", "setData")].compactMap { prefix, title -> String? in
            let series = subjects.enumerated().flatMap { index, subject in
                [("p50_us", "p50", false), ("p99_us", "p99", true)].map { key, text, isDashed in
                    Charts.Series(
                        name: "\(name(subject)), \(text)",
                        points: points(prefix, subject, detail: key).map { (log10($0.number), $0.value) },
                        isDashed: isDashed, color: index)
                }
            }.filter { $0.points.count > 1 }
            guard !series.isEmpty else { return nil }
            let labels = points(prefix, subjects[0]).map { (log10($0.number), short($0.number)) }
            let overloaded = subjects.flatMap { subject in
                points(prefix, subject, detail: "per_second").filter { $0.value < $0.number * 0.97 }.map {
                    "\(name(subject)) does not keep up with \(ResultText.number($0.number)) a second: "
                        + "\(ResultText.number($0.value)) were answered."
                }
            }
            return "<h3>\(title) <small>\(prefix)N</small></h3>"
                + (overloaded.isEmpty ? "" : "<p>\(Charts.escaped(overloaded.joined(separator: " ")))</p>")
                + Charts.lines(
                    series, xTitle: "requests that arrive each second", yTitle: "µs", xLabels: labels,
                    isLogarithmic: true, references: limit(prefix))
        }
        guard !charts.isEmpty else { return "" }
        return section(
            "Latency over the arrival rate",
            "Requests come at a fixed rate on 16 connections, whether or not earlier ones are answered, as from users who do not "
                + "know of each other. Latency counts from when a request was due, so a stall shows in all that fell into it.",
            charts.joined())
    }

    var shapes: String {
        let charts = [
            shape(
                "Size of the value", [("get-size-", "getData"), ("set-size-", "setData")], "bytes",
                { $0 == 0 ? 1 : log2($0) }, { $0 < 1_024 ? "\(Int($0))" : "\(Int($0 / 1_024)) Ki" }),
            shape(
                "Requests in flight on one connection", [("set-depth-", "setData")], "requests in flight", log2, short),
            shape("Connections that each await their answer", [("set-width-", "setData")], "connections", log2, short),
        ].compactMap { $0 }
        return charts.isEmpty
            ? ""
            : section("Shape of the load", "What larger values, more in flight and more clients do.", charts.joined())
    }

    /// One request in flight on one connection: where both depths and widths begin.
    private func alone(_ prefix: String, _ subject: String) -> [(number: Double, value: Double)] {
        guard prefix == "set-depth-" || prefix == "set-width-" else { return [] }
        return figure("set-1x1", subject)?.median.map { [(1, $0)] } ?? []
    }

    private func shape(
        _ title: String, _ kinds: [(prefix: String, name: String)], _ axis: String, _ place: (Double) -> Double,
        _ label: (Double) -> String
    ) -> String? {
        let series = subjects.flatMap { subject in
            kinds.map { kind in
                Charts.Series(
                    name: subjects.count > 1 ? "\(name(subject)), \(kind.name)" : kind.name,
                    points: (alone(kind.prefix, subject) + points(kind.prefix, subject)).map {
                        (place($0.number), $0.value)
                    })
            }
        }.filter { $0.points.count > 1 }
        guard !series.isEmpty else { return nil }
        let numbers = (alone(kinds[0].prefix, subjects[0]) + points(kinds[0].prefix, subjects[0])).map(\.number)
        let labels = numbers.map { (place($0), label($0)) }
        return "<h3>\(title)</h3>"
            + Charts.lines(
                series, xTitle: axis, yTitle: "requests a second", xLabels: labels, isLogarithmic: true)
    }

    var availability: String {
        let charts = ResultText.unique(results.figures.filter { $0.timeline != nil }.map(\.name)).compactMap {
            name -> String? in
            let found = subjects.compactMap { figure(name, $0) }
            guard let first = found.first, let timeline = first.timeline else { return nil }
            let mark = timeline.failureAtMilliseconds
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
            var marks = [(mark, name.hasSuffix("stopped") ? "stands still" : "killed")]
            if let back = timeline.returnAtMilliseconds {
                marks.append((back, name.hasSuffix("stopped") ? "goes on" : "started again"))
            }
            return
                "<h3>\(Charts.escaped(first.text)) <small>\(name)</small></h3><p>\(Charts.escaped(gaps.joined(separator: "; ")))</p>"
                + Charts.lines(
                    series, xTitle: "seconds", yTitle: "acknowledged writes a second",
                    xLabels: (0...12).map { (Double($0) * 1_000, "\($0)") }.filter { label in
                        label.0 <= (series.first?.points.last?.x ?? 0)
                    }, marks: marks)
        }
        return charts.isEmpty ? "" : section("When servers fail", "Eight clients write all the time.", charts.joined())
    }

    var recovery: String {
        bars(
            ["Recovery", "Storage", "Resources"], "Recovery, storage and memory",
            "Short is better everywhere. What each line is stands in the tables below.")
    }

    var recipes: String { bars(["Recipes"], "Recipes", "Each in its own unit: /s is better long, ms is better short.") }

    private func bars(_ sections: [String], _ title: String, _ text: String) -> String {
        let names = ResultText.unique(results.figures.filter { sections.contains($0.section) }.map(\.name))
        let groups = names.compactMap { name -> (String, [(series: String, value: Double, text: String)])? in
            let values = subjects.compactMap { subject -> (series: String, value: Double, text: String)? in
                guard let figure = figure(name, subject), let median = figure.median else { return nil }
                return ("on \(self.name(subject))", median, "\(ResultText.number(median)) \(figure.unit)")
            }
            return values.count == subjects.count ? (name, values) : nil
        }
        guard !groups.isEmpty else { return "" }
        // One bar alone has no length to compare with: then the numbers are what there is to see.
        guard subjects.count > 1 else {
            let rows = groups.map { name, values in
                "<dt>\(name)</dt><dd><b>\(values[0].text)</b> <small>\(Charts.escaped(figure(name, subjects[0])?.text ?? ""))"
                    + "</small></dd>"
            }
            return section(title, "", "<dl>\(rows.joined())</dl>")
        }
        return section(title, text, Charts.bars(groups))
    }
}

import BenchmarkKit

/// Raw requests: every workload of the catalogue.
extension BenchCase {
    private static let quickLoads: Set<String> = [
        "get-1x1", "set-1x1", "create-1x1", "get-8x64", "set-8x64", "ratio-0", "ratio-50", "ratio-90", "ratio-100",
        "fanout-1000", "notify-1", "get-rate-20000", "set-rate-1000", "set-rate-5000", "set-rate-20000",
    ]

    /// Of these the time is the figure, not how many there were.
    private static func isAboutTime(_ name: String) -> Bool {
        ["fanout-", "notify-", "get-rate-", "set-rate-"].contains { name.hasPrefix($0) }
    }

    private static func isAboutWatches(_ name: String) -> Bool {
        ["fanout-", "notify-", "sessions-"].contains { name.hasPrefix($0) }
    }

    static func loads(_ arguments: BenchArguments) -> [BenchCase] {
        let sections: [(Section, [Catalogue.Entry])] = [
            (.operations, Catalogue.all.filter { !$0.name.hasPrefix("mixed") && !isAboutWatches($0.name) }),
            (.ratios, Catalogue.ratios),
            (.rates, Catalogue.rates(reads: arguments.readRates, writes: arguments.writeRates)),
            (.shapes, Catalogue.sizes + Catalogue.depths + Catalogue.widths),
            (.watches, Catalogue.all.filter { isAboutWatches($0.name) }),
        ]
        return sections.flatMap { section, entries in
            entries.map { load($0, section, isAskedFor: section == .rates && !arguments.rates.isEmpty) }
        }
    }

    private static func load(_ entry: Catalogue.Entry, _ section: Section, isAskedFor: Bool) -> BenchCase {
        let isTime = isAboutTime(entry.name)
        return BenchCase(
            name: entry.name, section: section, text: entry.text, unit: isTime ? "µs" : "/s", moreIsBetter: !isTime,
            isQuick: quickLoads.contains(entry.name) || isAskedFor
        ) { target in
            let measurement = try entry.run(try target.engine())
            let all = measurement.histogram.count + measurement.failures.count
            guard measurement.histogram.count > 0 else {
                throw LoadError(measurement.failures.text(of: all) ?? "no operation was answered")
            }
            let values = measurement.values
            return Sample(
                isTime ? values["p50_us"] ?? 0 : measurement.perSecond, details: values,
                problem: measurement.failures.text(of: all))
        }
    }
}

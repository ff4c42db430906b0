import BenchmarkKit
import Foundation

/// What things cost the server's memory, and what sessions cost that do nothing. One fresh server each, so that the memory of
/// other cases does not count.
extension BenchCase {
    static func resources(_ arguments: BenchArguments) -> [BenchCase] {
        let isQuick = arguments.isQuick
        let nodes = isQuick ? 50_000 : 200_000
        let sessions = isQuick ? 500 : 10_000
        let watches = isQuick ? 20_000 : 100_000
        return [
            memory("memory-node", "resident memory for each of \(ResultText.grouped(nodes)) nodes of 100 bytes") {
                target in
                _ = try Fill(engine: try target.engine(), nodes: nodes).run()
                return (nodes, nil)
            },
            memory(
                "memory-watch", "resident memory for each of \(ResultText.grouped(watches)) watches, 5,000 a session"
            ) { target in
                let fill = WatchFill(engine: try target.engine(), perSession: 5_000)
                try fill.run(watches)
                return (watches, fill)
            },
            BenchCase(
                name: "idle-\(sessions)", section: .resources,
                text:
                    "resident memory for each of \(ResultText.grouped(sessions)) idle sessions, which ping every ten seconds",
                unit: "B",
                moreIsBetter: false, isQuick: true, needsOwnServers: true, roundsAtMost: 1
            ) { target in
                try await target.withFreshServers(1) { fresh in try idle(fresh, sessions: sessions) }
            },
            BenchCase(
                name: "memory-all", section: .resources,
                text: "resident memory of all servers after what came before", unit: "MB", moreIsBetter: false,
                isQuick: true, needsOwnServers: true
            ) { target in
                guard let bytes = target.group.processes?.residentBytes() else {
                    throw LoadError("this system does not tell the memory of processes")
                }
                return Sample(Double(bytes) / 1e6)
            },
        ]
    }

    /// - Parameter fill: makes something of which there are then so many, as long as the object lives.
    private static func memory(
        _ name: String, _ text: String, _ fill: @escaping @Sendable (Target) throws -> (Int, AnyObject?)
    ) -> BenchCase {
        BenchCase(
            name: name, section: .resources, text: text, unit: "B", moreIsBetter: false, isQuick: true,
            needsOwnServers: true, roundsAtMost: 1
        ) { target in
            try await target.withFreshServers(1) { fresh in
                // What a server needs once it serves at all is no part of it.
                _ = try Fill(engine: try fresh.engine(), nodes: 100, folder: "/before").run()
                let before = try resident(fresh)
                let (count, owner) = try fill(fresh)
                let after = try withExtendedLifetime(owner) { try resident(fresh) }
                return Sample(Double(after - before) / Double(count))
            }
        }
    }

    private static func idle(_ target: Target, sessions: Int) throws -> Sample {
        let before = try resident(target)
        var engine = try target.engine(seconds: max(2, target.arguments.measuredSeconds))
        engine.rate = max(1, Double(sessions) / 10)
        let measurement = try IdleSessions(engine: engine, count: sessions).run()
        guard let after = measurement.residentBytes else {
            throw LoadError("this system does not tell the memory of processes")
        }
        var details = measurement.values
        details["cpu_percent"] = (measurement.serverProcessorSeconds ?? 0) / measurement.seconds * 100
        return Sample(
            Double(after - before) / Double(sessions), details: details,
            problem: measurement.failures.text(of: measurement.histogram.count + measurement.failures.count))
    }

    private static func resident(_ target: Target) throws -> Int {
        guard let bytes = target.group.processes?.residentBytes() else {
            throw LoadError("this system does not tell the memory of processes")
        }
        return bytes
    }
}

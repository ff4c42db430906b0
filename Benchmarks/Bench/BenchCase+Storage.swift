import BenchmarkKit
import Foundation

/// What a write leaves on the disk.
extension BenchCase {
    static var storage: [BenchCase] {
        [
            ("log-bytes-awaited", "bytes in the log for each setData of 100 bytes, awaited", "set-1x1"),
            (
                "log-bytes-pipelined",
                "bytes in the log for each setData of 100 bytes, 8 connections with 64 in flight each", "set-8x64"
            ),
        ].map { name, text, workload in
            BenchCase(
                name: name, section: .storage, text: text + "; one server", unit: "B", moreIsBetter: false,
                isQuick: name == "log-bytes-pipelined", needsOwnServers: true, roundsAtMost: 1
            ) { target in
                guard let entry = Catalogue.all.first(where: { $0.name == workload }) else {
                    throw LoadError("no workload \(workload)")
                }
                return try await target.withFreshServers(1) { fresh in
                    var engine = try fresh.engine()
                    // Everything that goes into the log counts, so nothing may be left out of the operations either.
                    engine.warmUpMilliseconds = 0
                    let before = try LogVolume.bytes(in: fresh.group.history(0))
                    let measurement = try entry.run(engine)
                    let written = try LogVolume.bytes(in: fresh.group.history(0)) - before
                    let all = measurement.histogram.count + measurement.failures.count
                    guard measurement.histogram.count > 0 else { throw LoadError("no write was acknowledged") }
                    return Sample(
                        Double(written) / Double(measurement.histogram.count), details: measurement.values,
                        problem: measurement.failures.text(of: all))
                }
            }
        }
    }
}

/// How much of the transaction logs is in use. Both servers reserve space ahead, which reads as zeros.
enum LogVolume {
    static func bytes(in folder: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix("log.") }.reduce(0) {
            $0 + (try used("\(folder)/\($1)"))
        }
    }

    /// Up to the last byte that is not zero.
    static func used(_ path: String) throws -> Int {
        guard let file = FileHandle(forReadingAtPath: path) else { throw LoadError("\(path) cannot be read") }
        defer { try? file.close() }
        var end = try file.seekToEnd()
        let step: UInt64 = 1 << 20
        while end > 0 {
            let start = end > step ? end - step : 0
            try file.seek(toOffset: start)
            guard let bytes = try file.read(upToCount: Int(end - start)) else { return 0 }
            if let last = bytes.lastIndex(where: { $0 != 0 }) {
                return Int(start) + bytes.distance(from: bytes.startIndex, to: last) + 1
            }
            end = start
        }
        return 0
    }
}

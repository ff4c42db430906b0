/// The workloads by name: `kind-CONNECTIONSxDEPTH`.
package enum Catalogue {
    package struct Entry: Sendable {
        package let name: String
        package let text: String
        package let run: @Sendable (Engine) throws -> Measurement
    }

    package static let all: [Entry] = [
        entry("get-1x1", "getData awaited") { GetWorkload(connections: 1, depth: 1) },
        entry("set-1x1", "setData awaited") { SetWorkload(connections: 1, depth: 1) },
        entry("create-1x1", "create awaited") { CreateWorkload(connections: 1, depth: 1) },
        entry("get-8x64", "getData, 8 connections with 64 in flight each") { GetWorkload(connections: 8, depth: 64) },
        entry("set-8x64", "setData, 8 connections with 64 in flight each") { SetWorkload(connections: 8, depth: 64) },
        entry("create-8x64", "create, 8 connections with 64 in flight each") {
            CreateWorkload(connections: 8, depth: 64)
        },
        entry("exists-8x64", "exists, 8 connections with 64 in flight each") {
            ExistsWorkload(connections: 8, depth: 64)
        },
        entry("set-64x1", "setData awaited on 64 connections") { SetWorkload(connections: 64, depth: 1) },
        entry("mixed90-16x8", "90% getData, 10% setData") {
            MixedWorkload(connections: 16, depth: 8, readPercent: 90)
        },
        entry("mixed50-16x8", "50% getData, 50% setData") {
            MixedWorkload(connections: 16, depth: 8, readPercent: 50)
        },
        entry("ephemeral-8x8", "ephemeral sequential nodes created and deleted") {
            EphemeralWorkload(connections: 8, depth: 8)
        },
        entry("children-8x4", "getChildren2 of 1,000 children") { ChildrenWorkload(connections: 8, depth: 4) },
        entry("multi-4x8", "multi of ten setData") { MultiWorkload(connections: 4, depth: 8) },
        Entry(name: "sessions-64", text: "sessions opened and closed, 64 at the same time") {
            try SessionChurn(engine: $0, atOnce: 64).run()
        },
        Entry(
            name: "fanout-1000", text: "one setData heard by 1,000 connections; time from the write to the last event"
        ) {
            try FanOut(engine: $0, watchers: 1000).run()
        },
        Entry(name: "notify-1", text: "one setData heard by one other connection; time from the write to the event") {
            try FanOut(engine: $0, watchers: 1).run()
        },
    ]

    /// At a fixed rate, whatever is in flight: latency is counted from when a request was due.
    package static func rates(reads: [Int], writes: [Int]) -> [Entry] {
        reads.map { rate in
            entry("get-rate-\(rate)", "getData, \(rate) a second on 16 connections", rate: Double(rate)) {
                GetWorkload(connections: 16, depth: 1)
            }
        }
            + writes.map { rate in
                entry("set-rate-\(rate)", "setData, \(rate) a second on 16 connections", rate: Double(rate)) {
                    SetWorkload(connections: 16, depth: 1)
                }
            }
    }

    /// Reads in 100, as in the figure of the ZooKeeper paper.
    package static let ratios: [Entry] = [0, 10, 25, 50, 75, 90, 100].map { percent in
        entry("ratio-\(percent)", "\(percent)% getData, the rest setData; 16 connections with 8 in flight each") {
            MixedWorkload(connections: 16, depth: 8, readPercent: percent)
        }
    }

    package static let sizes: [Entry] = [0, 1_024, 16_384, 262_144].flatMap { bytes in
        [
            entry("get-size-\(bytes)", "getData of \(bytes) bytes, 4 connections with 4 in flight each") {
                GetWorkload(connections: 4, depth: 4, bytes: bytes)
            },
            entry("set-size-\(bytes)", "setData of \(bytes) bytes, 4 connections with 4 in flight each") {
                SetWorkload(connections: 4, depth: 4, bytes: bytes)
            },
        ]
    }

    package static let depths: [Entry] = [4, 16, 64, 256].map { depth in
        entry("set-depth-\(depth)", "setData on one connection with \(depth) in flight") {
            SetWorkload(connections: 1, depth: depth)
        }
    }

    package static let widths: [Entry] = [8, 64, 512].map { connections in
        entry("set-width-\(connections)", "setData awaited on \(connections) connections") {
            SetWorkload(connections: connections, depth: 1)
        }
    }

    private static func entry(
        _ name: String, _ text: String, rate: Double? = nil,
        _ make: @escaping @Sendable () -> some Workload & SendableMetatype
    ) -> Entry {
        Entry(name: name, text: text) { engine in
            var engine = engine
            engine.rate = rate ?? engine.rate
            var workload = make()
            return try engine.run(&workload)
        }
    }
}

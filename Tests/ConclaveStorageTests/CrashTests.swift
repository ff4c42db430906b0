import ConclaveCore
import ConclaveSimulator
import ConclaveStorage
import TestLanes
import Testing

/// A workload is cut at every operation that changes the disk, whatever survives of what was not synced: no acknowledged
/// transaction is missing afterwards, none was invented, there is no gap, and every start succeeds, even if the recovery
/// itself is cut.
@Suite(.aside) struct CrashTests {
    /// A run of a workload: the disk after a crash in each of its operations, and what was promised by then.
    struct Run {
        var store: Store<SimulatedDisk>
        private var promises: [(operation: Int, acknowledged: Zxid)] = []
        private var issues: [(operation: Int, issued: Zxid)] = []
        var captures: [SimulatedDisk] { store.disk.captures }

        private let setup: Setup

        init(_ setup: Setup) throws {
            self.setup = setup
            var disk = SimulatedDisk()
            disk.capturesCrashes = true
            store = try History.recover(disk, options: setup.options, logs: setup.logs).store
        }

        mutating func append(_ count: Int64, data: [UInt8] = [4]) throws {
            let first = store.lastZxid.rawValue + 1
            let batch = History.batch(first...(first + count - 1), data: data)
            issues.append((store.disk.operationCount, batch.lastZxid))
            let receipt = try store.append(batch)
            #expect(receipt.through == batch.lastZxid)
            promises.append((store.disk.operationCount, receipt.through))
        }

        /// Writes a snapshot with appends in between.
        mutating func snapshot() throws {
            let zxid = store.lastZxid
            let body = History.snapshotBody(through: zxid)
            try store.beginSnapshot(zxid: zxid)
            try store.writeSnapshot(Array(body.prefix(body.count / 2)))
            try append(2, data: [UInt8](repeating: 0, count: 700))
            try store.writeSnapshot(Array(body.suffix(from: body.count / 2)))
            try append(1)
            try store.finishSnapshot(digest: (zxid, TreeDigest(value: 3)))
        }

        mutating func restart(closing: Bool) throws {
            if closing { try store.close() }
            let (next, target, recovered) = try History.recover(store.disk, options: setup.options, logs: setup.logs)
            #expect(target.holdsExactly(through: recovered.lastZxid))
            #expect(recovered.lastZxid == store.lastZxid)
            #expect(recovered.torn == nil && recovered.warnings == [])
            store = next
        }

        func acknowledged(at operation: Int) -> Zxid {
            promises.last { $0.operation <= operation }?.acknowledged ?? .zero
        }
        func issued(at operation: Int) -> Zxid { issues.last { $0.operation <= operation }?.issued ?? .zero }
    }

    /// What differs between runs.
    enum Setup: CaseIterable, Sendable {
        /// Preallocated logs beside the snapshots.
        case usual
        /// Small logs that grow as they are written, in a folder of their own, and only one snapshot kept.
        case bare

        var logs: String { self == .usual ? History.folder : "/log/here" }

        var options: StorageOptions {
            var options = History.options
            options.preallocateBytes = self == .usual ? 4096 : 0
            options.logSizeLimitBytes = self == .usual ? nil : 3000
            options.retainSnapshots = self == .usual ? 2 : 1
            return options
        }
    }

    static func workload(_ setup: Setup) throws -> Run {
        var run = try Run(setup)
        try run.append(1)
        try run.append(3, data: [UInt8](repeating: 0xAB, count: 400))
        try run.append(2, data: [UInt8](repeating: 0, count: 1500))
        try run.snapshot()
        try run.append(12)
        try run.restart(closing: true)
        try run.append(2, data: [UInt8](repeating: 1, count: 900))
        try run.append(1)
        try run.snapshot()
        #expect(try !run.store.purge().isEmpty)
        try run.append(4, data: [UInt8](repeating: 2, count: 100))
        try run.restart(closing: false)
        try run.append(1)
        try run.snapshot()
        #expect(try !run.store.purge().isEmpty)
        try run.append(20, data: [UInt8](repeating: 3, count: 60))
        try run.store.close()
        return run
    }

    @Test("Whatever a crash leaves, nothing acknowledged is lost", arguments: Survival.allCases, Setup.allCases)
    func everyOperation(_ survival: Survival, setup: Setup) throws {
        let run = try Self.workload(setup)
        let captures = run.captures
        #expect(captures.count > 80)
        let seeds: [UInt64] = survival == .some ? [1, 2, 3] : [1]
        for (operation, image) in captures.enumerated() {
            for seed in seeds {
                let disk = image.afterCrash(survival, seed: seed &* 1000 &+ UInt64(operation))
                let promise = (run.acknowledged(at: operation), run.issued(at: operation))
                try check(disk, promise, setup, "\(survival), operation \(operation), seed \(seed)", nested: seed)
            }
        }
    }

    /// Starts, checks the history, cuts the start itself somewhere, starts again, and goes on.
    private func check(
        _ disk: SimulatedDisk, _ promise: (acknowledged: Zxid, issued: Zxid), _ setup: Setup, _ context: String,
        nested: UInt64?
    ) throws {
        var disk = disk
        disk.capturesCrashes = nested != nil
        var store = History.store(disk, options: setup.options, logs: setup.logs)
        var target = ModelTarget()
        let recovered: Recovered
        do { recovered = try store.recover(into: &target) } catch {
            Issue.record("\(context): the start failed: \(error)")
            return
        }
        #expect(recovered.lastZxid >= promise.acknowledged, "\(context): acknowledged transactions are lost")
        #expect(recovered.lastZxid <= promise.issued, "\(context): transactions were invented")
        #expect(target.holdsExactly(through: recovered.lastZxid), "\(context): the history is not whole")

        if let nested {
            let captures = store.disk.captures
            var random = SeededRandom(seed: nested &+ UInt64(disk.paths.count) &+ UInt64(recovered.lastZxid.rawValue))
            let image = captures[Int(random.next() % UInt64(captures.count))]
            let survival = Survival.allCases[Int(random.next() % UInt64(Survival.allCases.count))]
            let next = image.afterCrash(survival, seed: random.next())
            return try check(next, promise, setup, "\(context), then \(survival)", nested: nil)
        }
        let zxid = recovered.lastZxid.rawValue + 1
        let receipt = try store.append(History.batch(zxid...(zxid + 1)))
        let image = store.disk.afterCrash(.nothing, seed: 0)
        let (_, after, last) = try History.recover(image, options: setup.options, logs: setup.logs)
        #expect(last.lastZxid == receipt.through, "\(context): what was appended after the crash is lost")
        #expect(after.holdsExactly(through: last.lastZxid), "\(context): the history after the crash is not whole")
    }
}

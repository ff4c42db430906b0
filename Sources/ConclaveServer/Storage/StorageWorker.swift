import ConclaveConsensus
import ConclaveCore
import ConclaveStorage
import ConclaveSystem
import ConclaveTree
import ConclaveWire

/// The one thread that writes: log batches, snapshots, purges, in the order in which they are asked for.
///
/// Whatever it finds out it reports; the first error is the last report (DESIGN D5).
final class StorageWorker: Sendable {
    /// What the loop asks for.
    enum Order: Sendable {
        case append(LogBatch)
        case beginSnapshot(zxid: Zxid, tables: [UInt8])
        case writeSnapshot([UInt8])
        /// Ends the file; it is then read back in slices, with appends in between.
        case sealSnapshot(digest: (zxid: Zxid, digest: TreeDigest)?)
        case checkSnapshot
        case purge
        /// Gives up the snapshot that is being written.
        case abandonSnapshot
        // For servers of an ensemble:
        case saveAcceptedEpoch(Int64)
        case saveCurrentEpoch(Int64)
        /// Cuts the history and reads it again; `nil` only reads again.
        case reload(cuttingTo: Zxid?, options: TreeOptions)
        /// Reads logs for a learner; see ``LeaderAction/needHistory(_:after:through:isFirst:)``.
        case readHistory(LinkID, after: Zxid, through: Zxid, isFirst: Bool, EnsembleOptions)
        /// Begins the snapshot of a tree that a leader sent; slices follow as for any other.
        case beginReceivedSnapshot(zxid: Zxid, tables: [UInt8])
        /// Ends it and puts it in place of the history.
        case installSnapshot(digest: (zxid: Zxid, digest: TreeDigest)?)
    }

    /// What became of it.
    enum Report: Sendable {
        /// - Parameter replay: how many transactions a start would have to replay now.
        case synced(DurableReceipt, milliseconds: Int64, isSnapshotDue: Bool, replay: Int)
        /// The next slice may come.
        case snapshotWritten
        /// The next slice is to be read back.
        case snapshotUnchecked
        case snapshotFinished(milliseconds: Int64)
        case purged([String])
        case acceptedEpochSaved(Int64)
        case currentEpochSaved(Int64)
        case reloaded(DataTree, [String])
        /// The log cannot be cut there; nothing has changed.
        case notCut
        case snapshotInstalled
        case historyRead(LinkID, [Proposal]?)
        case failed(StorageError)
        case stopped
    }

    /// How much of a snapshot is read back at a time, a millisecond or two.
    private static let checkSliceBytes = 1 << 20

    /// Batch under way, snapshot slice under way, purge: never more at once, with some room.
    private let orders = BlockingQueue<Order>(limit: 64)
    private let gate: FaultGate
    private let thread: ThreadHandle

    /// Starts the thread on a store that has been recovered.
    init(
        store: Store<FileDisk>, gate: FaultGate, report: @escaping @Sendable (Report) -> Void
    ) throws(SystemError) {
        let orders = orders
        let handover = Handover(store)
        self.gate = gate
        thread = try ThreadHandle(name: "conclave-disk") {
            Self.run(handover.take(), orders, gate, report)
        }
    }

    func send(_ order: Order) {
        let isTaken = orders.send(order)
        precondition(isTaken, "more orders for the disk than can be under way")
    }

    /// Finishes what has been ordered, then reports `.stopped`.
    func stop() { orders.close() }

    /// Drops what has been ordered and reports `.stopped`; the files stay as they are.
    func kill() {
        gate.kill()
        orders.close()
    }

    func join() { thread.join() }

    private static func run(
        _ initial: Store<FileDisk>, _ orders: BlockingQueue<Order>, _ gate: FaultGate,
        _ report: @Sendable (Report) -> Void
    ) {
        var store = initial
        var snapshotStart = Instant.start
        do throws(StorageError) {
            work: while true {
                let batch = orders.receive()
                guard !batch.isEmpty else { break }
                for order in batch {
                    guard gate.pass() else { break work }
                    let start = SystemClock.now()
                    switch order {
                    case .append(let entries):
                        let receipt = try store.append(entries)
                        let duration = SystemClock.now().milliseconds(since: start)
                        report(
                            .synced(
                                receipt, milliseconds: duration, isSnapshotDue: store.isSnapshotDue,
                                replay: store.transactionsSinceSnapshot))
                    case .beginSnapshot(let zxid, let tables):
                        snapshotStart = start
                        try store.beginSnapshot(zxid: zxid)
                        try store.writeSnapshot(tables)
                        report(.snapshotWritten)
                    case .writeSnapshot(let bytes):
                        try store.writeSnapshot(bytes)
                        report(.snapshotWritten)
                    case .sealSnapshot(let digest):
                        try store.sealSnapshot(digest: digest)
                        report(.snapshotUnchecked)
                    case .checkSnapshot:
                        if try store.checkSnapshot(limitBytes: checkSliceBytes) {
                            report(
                                .snapshotFinished(milliseconds: SystemClock.now().milliseconds(since: snapshotStart)))
                        } else {
                            report(.snapshotUnchecked)
                        }
                    case .purge:
                        report(.purged(try store.purge()))
                    case .abandonSnapshot: try store.abandonSnapshot()
                    case .saveAcceptedEpoch(let epoch):
                        try store.setAcceptedEpoch(epoch)
                        report(.acceptedEpochSaved(epoch))
                    case .saveCurrentEpoch(let epoch):
                        try store.setCurrentEpoch(epoch)
                        report(.currentEpochSaved(epoch))
                    case .reload(let zxid, let options):
                        report(try reload(&store, cuttingTo: zxid, options))
                    case .readHistory(let link, let after, let through, let isFirst, let options):
                        let proposals = try history(&store, after, through, isFirst: isFirst, options)
                        report(.historyRead(link, proposals))
                    case .beginReceivedSnapshot(let zxid, let tables):
                        snapshotStart = start
                        try store.beginReceivedSnapshot(zxid: zxid)
                        try store.writeSnapshot(tables)
                        report(.snapshotWritten)
                    case .installSnapshot(let digest):
                        try store.installSnapshot(digest: digest)
                        report(.snapshotInstalled)
                    }
                }
            }
            if gate.pass() { try store.close() } else { store.letGo() }
            report(.stopped)
        } catch {
            report(.failed(error))
        }
    }
}

extension StorageWorker {
    /// How much of the logs is read for a learner at a time.
    private static let historyBytes = 4 << 20

    private static func history(
        _ store: inout Store<FileDisk>, _ after: Zxid, _ through: Zxid, isFirst: Bool, _ options: EnsembleOptions
    ) throws(StorageError) -> [Proposal]? {
        if isFirst {
            guard let sizes = try store.historySizes(behind: after),
                options.allowsHistorySync(logBytes: sizes.logBytes, snapshotBytes: sizes.snapshotBytes),
                try store.isHistoryWhole(behind: after)
            else { return nil }
        }
        return try store.history(after: after, through: through, limitBytes: historyBytes)
    }

    private static func reload(
        _ store: inout Store<FileDisk>, cuttingTo zxid: Zxid?, _ options: TreeOptions
    ) throws(StorageError) -> Report {
        if let zxid {
            guard try store.truncate(to: zxid) else { return .notCut }
        } else {
            try store.rewind()
        }
        var loader = TreeLoader(options: options)
        let recovered = try store.recover(into: &loader)
        return .reloaded(loader.tree, recovered.warnings + loader.problems.map(\.description))
    }
}

/// Moves a value into a thread's closure once.
// Safe to share: whoever made the value only hands it over, and only the new thread takes it, after it was stored.
private final class Handover<Value>: @unchecked Sendable {
    private var value: Value?

    init(_ value: Value) { self.value = value }

    func take() -> Value {
        guard let taken = value else { preconditionFailure("a value was handed over twice") }
        value = nil
        return taken
    }
}

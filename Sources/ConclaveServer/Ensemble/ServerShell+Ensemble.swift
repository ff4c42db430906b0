import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveStorage
import ConclaveSystem
import ConclaveTransport
import ConclaveTree
import ConclaveWire

/// A server of an ensemble: what its node machine asks for.
extension ServerShell {
    /// Hands on what the client side has for the others, and performs what comes out.
    func turnNode() {
        node?.turn(now: loop.now, wall: SystemClock.wallTime())
        while let actions = node?.takeActions(), !actions.isEmpty {
            for action in actions { perform(action) }
        }
    }

    private func perform(_ action: NodeAction) {
        switch action {
        case .dialElection(let server, let addresses):
            peers?.dial(addresses.map { ($0.host, $0.port) }, for: .election) { [weak self] link in
                self?.electionDialled(server, link)
            }
        case .sendElection(let link, let bytes): peers?.send(bytes, on: link)
        case .sendQuorum(let link, let bytes):
            peers?.send(bytes, on: link)
            if bytes.count >= Self.noticeableBytes { noticeWhenSent(link) }
        case .sendQuorumLater(let link, let bytes): peers?.sendLater(bytes, on: link)
        case .closeElection(let link): peers?.close(link)
        case .closeQuorum(let link, let reason):
            note(.debug, "closing \(link): \(reason)")
            snapshotWaiters.removeAll { $0 == link }
            snapshotReaders.removeAll { $0 == link }
            peers?.close(link)
        case .dialLeader(let addresses):
            peers?.dial(addresses.map { ($0.host, $0.quorumPort) }, for: .quorum) { [weak self] link in
                self?.leaderDialled(link)
            }
        case .needSnapshot(let link):
            snapshotWaiters.append(link)
            serveSnapshotWaiters()
        case .needHistory(let link, let after, let through, let isFirst):
            guard let options = node?.options else { return }
            worker?.send(.readHistory(link, after: after, through: through, isFirst: isFirst, options))
        case .order(let order): orders.append(order)
        case .adopt(let configuration): store(configuration, isInForce: true)
        case .announced(let configuration): store(configuration, isInForce: false)
        case .roleChanged(let role): roleChanged(role)
        case .note(let event): note(event.level, event.message)
        }
    }

    /// Writes a configuration where the next start finds it. Rare and short, so the loop waits for the disk.
    private func store(_ next: EnsembleConfiguration, isInForce: Bool) {
        note(.info, "configuration \(String(next.version, radix: 16)) is \(isInForce ? "in force" : "proposed")")
        guard let ensemble = configuration.ensemble, ensemble.reconfigEnabled, let files = ensemble.files else {
            return
        }
        do throws(ZooKeeperError) {
            if isInForce {
                let listsPort = ensemble.myID.flatMap { next.member($0)?.clientPort } != nil
                try files.activate(next, listsClientPort: listsPort)
            } else {
                try files.write(pending: next)
            }
        } catch {
            note(.error, "the configuration could not be written, the next start will not know it: \(error)")
        }
    }

    private func roleChanged(_ role: ServingRole) {
        note(.debug, "role: \(role)")
        onRole?(role)
    }

    /// Sends below this size are never waited for.
    private static let noticeableBytes = 16 << 10

    /// Tells the node machine when everything sent on a connection has left. The connection does so by itself only if
    /// something had to wait.
    func noticeWhenSent(_ link: LinkID) {
        if sentLinks.isEmpty {
            loop.schedule(at: loop.now) { [weak self] in self?.noticeSent() }
        }
        sentLinks.insert(link)
    }

    private func noticeSent() {
        let links = sentLinks.sorted()
        sentLinks = []
        for link in links where peers?.pendingBytes(on: link) == 0 {
            node?.quorumDrained(link, now: loop.now, wall: SystemClock.wallTime())
        }
    }

    private func electionDialled(_ server: ServerID, _ link: LinkID?) {
        let (now, wall) = (loop.now, SystemClock.wallTime())
        if let link {
            node?.electionDialled(server, link: link, now: now, wall: wall)
        } else {
            node?.electionDialFailed(server, now: now, wall: wall)
        }
        comeBack()
    }

    private func leaderDialled(_ link: LinkID?) {
        let (now, wall) = (loop.now, SystemClock.wallTime())
        if let link {
            node?.leaderDialled(link, now: now, wall: wall)
        } else {
            node?.leaderDialFailed(now: now, wall: wall)
        }
        comeBack()
    }

    // MARK: Storage

    /// Gives the storage thread the next order; consecutive appends go together, so that one sync serves them all.
    func sendOrders() {
        guard !isSyncing, let worker else { return }
        guard let first = orders.first else { return }
        isSyncing = true
        guard case .append = first else { return perform(orders.popFirst() ?? first, worker) }
        var batch = LogBatch()
        while batch.count < configuration.maximumBatchSize, case .append(let proposal)? = orders.first {
            batch.append(encoded: proposal.body[...], zxid: proposal.zxid)
            _ = orders.popFirst()
        }
        appendsUnderWay = batch.count
        worker.send(.append(batch))
    }

    private func perform(_ order: StorageOrder, _ worker: StorageWorker) {
        switch order {
        case .append: preconditionFailure("appends are sent in batches")
        case .saveAcceptedEpoch(let epoch): worker.send(.saveAcceptedEpoch(epoch))
        case .saveCurrentEpoch(let epoch): worker.send(.saveCurrentEpoch(epoch))
        case .truncate(let zxid):
            abandonSnapshot()
            worker.send(.reload(cuttingTo: zxid, options: machine.tree.options))
        case .reload:
            abandonSnapshot()
            worker.send(.reload(cuttingTo: nil, options: machine.tree.options))
        case .replaceHistory:
            abandonSnapshot()
            isReplacingHistory = true
            beginSnapshot()
        }
    }

    func nodeSynced(_ receipt: DurableReceipt) {
        let count = appendsUnderWay
        appendsUnderWay = 0
        node?.synced(receipt, count: count, now: loop.now, wall: SystemClock.wallTime())
    }

    func reportToNode(_ report: StorageWorker.Report) {
        let (now, wall) = (loop.now, SystemClock.wallTime())
        if case .historyRead(let link, let proposals) = report {
            node?.historyRead(link, proposals: proposals, now: now, wall: wall)
            return
        }
        isSyncing = false
        switch report {
        case .acceptedEpochSaved(let epoch): node?.acceptedEpochSaved(epoch, now: now, wall: wall)
        case .currentEpochSaved(let epoch): node?.currentEpochSaved(epoch, now: now, wall: wall)
        case .reloaded(let tree, let warnings):
            for warning in warnings { note(.warning, warning) }
            node?.reloaded(tree, now: now, wall: wall)
        case .notCut: node?.truncationFailed(now: now, wall: wall)
        case .snapshotInstalled:
            isSnapshotReportDue = false
            isReplacingHistory = false
            snapshot = nil
            node?.historyReplaced(now: now, wall: wall)
            serveSnapshotWaiters()
        case .synced, .snapshotWritten, .snapshotUnchecked, .snapshotFinished, .purged, .failed, .stopped, .historyRead:
            break
        }
    }
}

extension ServerShell: PeerNetworkDelegate {
    func peerAccepted(_ link: LinkID, on port: PeerPort) {
        let (now, wall) = (loop.now, SystemClock.wallTime())
        switch port {
        case .election: node?.electionAccepted(link, now: now, wall: wall)
        case .quorum: node?.learnerAccepted(link, now: now, wall: wall)
        }
    }

    func peerReceived(_ bytes: Span<UInt8>, on link: LinkID, _ port: PeerPort) {
        let (now, wall) = (loop.now, SystemClock.wallTime())
        switch port {
        case .election: node?.electionReceived(bytes, on: link, now: now, wall: wall)
        case .quorum: node?.quorumReceived(bytes, on: link, now: now, wall: wall)
        }
    }

    func peerDrained(_ link: LinkID, _ port: PeerPort) {
        guard port == .quorum else { return }
        node?.quorumDrained(link, now: loop.now, wall: SystemClock.wallTime())
        comeBack()
    }

    func peerClosed(_ link: LinkID, _ port: PeerPort) {
        let (now, wall) = (loop.now, SystemClock.wallTime())
        switch port {
        case .election: node?.electionClosed(link, now: now, wall: wall)
        case .quorum:
            snapshotWaiters.removeAll { $0 == link }
            snapshotReaders.removeAll { $0 == link }
            node?.quorumClosed(link, now: now, wall: wall)
        }
        comeBack()
    }

    func peerNote(_ level: LogEvent.Level, _ message: String) { note(level, message) }
}

import ConclaveConsensus
import ConclaveCore
import ConclaveTree
import ConclaveWire

/// The quorum port, seen from a follower or an observer.
extension NodeMachine {
    package mutating func leaderDialled(_ link: LinkID, now: Instant, wall: WallTime) {
        guard learner != nil, learnerLink == nil else {
            actions.append(.closeQuorum(link, "the role has ended"))
            return
        }
        learnerLink = link
        learner?.connected(now: now)
        turn(now: now, wall: wall)
    }

    package mutating func leaderDialFailed(now: Instant, wall: WallTime) {
        learner?.connectFailed(now: now)
        turn(now: now, wall: wall)
    }

    /// Whether more should be read from the leader's connection: no while the disk is far behind.
    package var wantsLeaderBytes: Bool { learner?.wantsBytes ?? true }

    /// The turn of a learner.
    /// - Returns: whether something was done.
    mutating func learn(now: Instant, wall: WallTime) -> Bool {
        let calls = server.takeLeaderCalls()
        for call in calls {
            switch call {
            case .request(let request, let identities): learner?.forward(request, identities: identities)
            case .revalidate(let session, let timeout, let isPing):
                learner?.revalidate(session, timeoutMilliseconds: timeout, isPing: isPing)
            }
        }
        var taken: [LearnerAction] = []
        swap(&taken, &scratch)
        learner?.takeActions(into: &taken)
        let moved = !calls.isEmpty || !taken.isEmpty
        for action in taken {
            guard learner != nil else { break }
            perform(action, now: now, wall: wall)
        }
        taken.removeAll(keepingCapacity: true)
        swap(&taken, &scratch)
        return moved
    }

    private mutating func perform(_ action: LearnerAction, now: Instant, wall: WallTime) {
        switch action {
        case .connect:
            let addresses = learner.flatMap { configuration.member($0.leader)?.addresses } ?? []
            actions.append(.dialLeader(addresses))
        case .send(let bytes): if let learnerLink { actions.append(.sendQuorum(learnerLink, bytes)) }
        case .saveAcceptedEpoch(let epoch): order(.saveAcceptedEpoch(epoch))
        case .saveCurrentEpoch(let epoch): order(.saveCurrentEpoch(epoch))
        case .truncate(let zxid): order(.truncate(to: zxid))
        case .beginSnapshot:
            server.dropInFlight(after: .zero)
            server.loadTree { $0.beginLoading() }
        case .loadSnapshot(let batch): server.loadTree { batch.load(into: &$0) }
        case .endSnapshot(let zxid): endSnapshot(zxid)
        case .apply(let proposal):
            server.enqueue(proposal)
            server.committed(through: proposal.zxid, now: now, wall: wall)
            position(at: proposal.zxid)
            history.append(proposal)
        case .writeSnapshot: order(.replaceHistory)
        case .digestsHold(let zxid): server.loadTree { $0.ignoreDigests(through: zxid) }
        case .append(let proposal):
            server.enqueue(proposal)
            log(proposal)
        case .commit(let zxid):
            committedThrough = max(committedThrough, zxid)
            applyCommitted(now: now, wall: wall)
        case .announced(let next):
            pendingConfiguration = next
            elector.reconfigured(configuration, pending: next, now: now)
            actions.append(.announced(next))
        case .adopt(let next): adopt(next, now: now)
        case .startServing(let epoch): serve(epoch, now: now, wall: wall)
        case .pingReceived:
            let touches = server.takeTouchedSessions()
            learner?.answerPing(touches.map { SessionTouch($0.session, timeoutMilliseconds: $0.timeoutMilliseconds) })
        case .syncAnswered: server.syncAnswered(now: now, wall: wall)
        case .revalidated(let session, let isValid):
            server.revalidated(session, isValid: isValid, now: now, wall: wall)
        case .startOver(let epoch):
            if let learnerLink { actions.append(.closeQuorum(learnerLink, "a snapshot is wanted")) }
            learnerLink = nil
            guard let ended = learner else { return }
            follow(ended.leader, as: ended.role, wantsSnapshotIn: epoch, now: now)
        case .lookAgain(let reason, let memoryIsStale):
            mustReload = mustReload || memoryIsStale
            leave("follows no longer: " + reason, now: now, wall: wall)
        case .note(let event): actions.append(.note(event))
        }
    }

    private mutating func endSnapshot(_ zxid: Zxid) {
        var problems: [LoadProblem] = []
        server.loadTree { tree in
            problems = tree.finishLoading(zxid: zxid, digest: nil)
            // The reference's snapshots hold parts of what comes later; how far that goes is told afterwards.
            tree.ignoreDigests(through: Zxid(rawValue: .max))
        }
        for problem in problems { note(.warning, "the leader's snapshot: \(problem)") }
        // Memory is ahead of the disk until the tree has been written there.
        mustReload = true
        position(at: zxid)
        history.removeAll(after: zxid)
    }

    private mutating func serve(_ epoch: Int64, now: Instant, wall: WallTime) {
        let role: ServingRole = learner?.role == .observer ? .observer : .follower
        elector.updateVote(peerEpoch: epoch, now: now)
        // Everything in front of the epoch is here, so clients who have seen its begin elsewhere can be served.
        server.startServing(as: role, epochStart: Zxid(rawValue: epoch << 32), now: now, wall: wall)
        server.showConfiguration(configuration)
        note(.info, "follows server \(leaderID.map { "\($0)" } ?? "?") in epoch \(epoch)")
        actions.append(.roleChanged(role))
    }
}

extension SnapshotBatch {
    /// Puts the records into a tree that is being loaded.
    fileprivate func load(into tree: inout DataTree) {
        let span = bytes.span
        for record in records {
            switch record {
            case .session(let session):
                tree.loadSession(session.id, timeoutMilliseconds: session.timeoutMilliseconds)
            case .acl(let entry): tree.loadACL(key: entry.key, acl: entry.acl)
            case .node(let node):
                let data: Span<UInt8>? = if let range = node.data { span.extracting(range) } else { nil }
                // One that has no place is counted by the tree.
                _ = tree.loadNode(
                    path: span.extracting(node.path), data: data, aclKey: node.aclKey, stat: node.stat)
            }
        }
    }
}

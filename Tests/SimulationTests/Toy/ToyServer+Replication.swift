import ConclaveCore
import ConclaveSimulator

extension ToyServer {
    // MARK: Leader

    mutating func propose(_ session: SessionID, cxid: Int32, _ command: ToyCommand, _ world: inout World) {
        guard case .leader(var leadership) = role else { return }
        leadership.counter += 1
        let zxid = Zxid(epoch: UInt32(epoch), counter: leadership.counter)
        role = .leader(leadership)
        let entry = ToyEntry(zxid: zxid, session: session, cxid: cxid, command: command)
        store([entry], &world)
        for peer in 0..<count where peer != id { replicate(to: peer, &world) }
    }

    private mutating func store(_ entries: [ToyEntry], _ world: inout World) {
        log += entries
        for entry in entries { world.observe(.logged(entry.observed)) }
        order(.append(entries), bytes: entries.count * ToyEntry.byteCount, &world)
    }

    /// Sends what a peer lacks, or a heartbeat.
    mutating func replicate(to peer: Int, isHeartbeat: Bool = false, _ world: inout World) {
        guard case .leader(var leadership) = role, peers[peer].isReady else { return }
        repeat {
            let start = leadership.next[peer]
            let end = min(log.count, start + Self.batchLimit)
            leadership.next[peer] = end
            let message = ToyMessage.append(
                epoch: epoch, round: leadership.round, before: start > 0 ? log[start - 1].zxid : .zero,
                start: Int32(start), committed: committed > 0 ? log[committed - 1].zxid : .zero,
                entries: Array(log[start..<end]))
            send(message, to: peer, &world)
        } while leadership.next[peer] < log.count
        role = .leader(leadership)
    }

    mutating func progressed(_ peer: Int, _ round: Int64, _ durableThere: Int, _ world: inout World) {
        guard case .leader(var leadership) = role else { return }
        leadership.matched[peer] = max(leadership.matched[peer], durableThere)
        leadership.answered[peer] = max(leadership.answered[peer], round)
        role = .leader(leadership)
        commitWhatIsDurable(&world)
        confirmTouches(&world)
    }

    mutating func fellBack(_ peer: Int, _ round: Int64, _ has: Int, _ world: inout World) {
        guard case .leader(var leadership) = role else { return }
        leadership.next[peer] = min(max(0, has), log.count)
        leadership.answered[peer] = max(leadership.answered[peer], round)
        role = .leader(leadership)
        replicate(to: peer, &world)
        confirmTouches(&world)
    }

    mutating func commitWhatIsDurable(_ world: inout World) {
        guard case .leader(var leadership) = role else { return }
        leadership.matched[id] = durable
        let counts = (0..<count).filter { voters >> UInt64($0) & 1 == 1 }.map { leadership.matched[$0] }.sorted()
        // So many are durable on more than half.
        let agreed = min(counts[(counts.count - 1) / 2], log.count)
        role = .leader(leadership)
        guard agreed > committed, Int64(log[agreed - 1].zxid.epoch) == epoch else { return }
        if !leadership.isActive {
            leadership.isActive = true
            world.observe(.activated(epoch: epoch))
        }
        role = .leader(leadership)
        commit(through: agreed, &world)
        for peer in 0..<count where peer != id { replicate(to: peer, &world) }
    }

    // MARK: Follower

    mutating func append(
        _ newEpoch: Int64, _ round: Int64, _ before: Zxid, _ start: Int, _ leaderCommitted: Zxid,
        _ entries: [ToyEntry], from peer: Int, _ world: inout World
    ) {
        guard newEpoch >= epoch else { return send(.refused(epoch: epoch, round: 0, count: 0), to: peer, &world) }
        if case .follower(let leader) = role, newEpoch == epoch, leader == peer {
        } else {
            follow(newEpoch, leader: peer, &world)
        }
        resetElection(&world)
        lastRound = round
        guard start <= log.count, start == 0 || log[start - 1].zxid == before else {
            let hint = max(committed, min(log.count, start - 8))
            return send(.refused(epoch: epoch, round: round, count: Int32(hint)), to: peer, &world)
        }
        var fresh = entries[...]
        var place = start
        while let entry = fresh.first, place < log.count {
            if log[place].zxid != entry.zxid {
                cut(to: place, &world)
                break
            }
            fresh = fresh.dropFirst()
            place += 1
        }
        if !fresh.isEmpty { store(Array(fresh), &world) }
        matched = max(matched, start + entries.count)
        acknowledgeDurable(answering: true, &world)
        var through = committed
        while through < matched, log[through].zxid <= leaderCommitted { through += 1 }
        commit(through: through, &world)
    }

    private mutating func cut(to kept: Int, _ world: inout World) {
        precondition(kept >= committed, "a committed entry of the toy is cut")
        log.removeSubrange(kept...)
        durable = min(durable, kept)
        world.observe(.truncated(to: log.last?.zxid ?? .zero))
        cutsOrdered += 1
        order(.cut(kept), bytes: 0, &world)
    }

    /// Tells the leader what is on disk. A heartbeat is answered in any case.
    mutating func acknowledgeDurable(answering: Bool = false, _ world: inout World) {
        switch role {
        case .leader: commitWhatIsDurable(&world)
        case .candidate: return
        case .follower(let leader):
            guard let leader else { return }
            let count = bug == .acknowledgesBeforeSync ? matched : min(matched, durable)
            if count > acknowledged {
                acknowledged = count
                world.observe(.acknowledged(through: log[count - 1].zxid))
            } else if !answering {
                return
            }
            send(.appended(epoch: epoch, round: lastRound, count: Int32(count)), to: leader, &world)
        }
    }

    // MARK: Applying

    private mutating func commit(through count: Int, _ world: inout World) {
        while committed < count {
            let entry = log[committed]
            committed += 1
            let salt: Int64 = bug == .appliesDifferently && entry.zxid.counter % 50 == 0 ? Int64(id) : 0
            let answer = state.apply(entry, salt: salt)
            sessionChanged(by: entry, &world)
            if isServing {
                world.observe(.applied(entry.zxid, digest: state.digest))
                tellGuests(entry, answer, &world)
            }
        }
        guard !isServing, committed > 0, Int64(log[committed - 1].zxid.epoch) == epoch else { return }
        switch role {
        case .leader(let leadership): guard leadership.isActive else { return }
        case .follower(let leader): guard leader != nil else { return }
        case .candidate: return
        }
        isServing = true
        world.observe(.serving(through: state.lastApplied, digest: state.digest))
        if case .leader(var leadership) = role {
            // Whoever had a session has all its time from now on.
            leadership.deadlines = state.sessions.map {
                ($0.id, world.now.advanced(byMilliseconds: $0.timeoutMilliseconds))
            }
            role = .leader(leadership)
        }
    }

    mutating func stopServing(_ world: inout World) {
        guard isServing else { return }
        isServing = false
        world.observe(.stoppedServing)
        let leaving = guests
        for guest in leaving { drop(guest.link, &world) }
    }
}

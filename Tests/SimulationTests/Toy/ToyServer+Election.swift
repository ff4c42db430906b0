import ConclaveCore
import ConclaveSimulator

extension ToyServer {
    mutating func resetElection(_ world: inout World) {
        let wait = Self.electionMilliseconds + world.random.below(Self.electionMilliseconds)
        electionAt = world.now.advanced(byMilliseconds: wait)
    }

    mutating func campaign(_ world: inout World) {
        stopServing(&world)
        resetElection(&world)
        epoch += 1
        vote = Int32(id)
        matched = 0
        role = .candidate(votes: 0)
        order(.vote(epoch: epoch, for: vote), bytes: 16, &world)
    }

    /// A newer epoch was heard of, or its leader.
    mutating func follow(_ newEpoch: Int64, leader: Int?, _ world: inout World) {
        if newEpoch > epoch {
            stopServing(&world)
            epoch = newEpoch
            vote = -1
            order(.vote(epoch: epoch, for: vote), bytes: 16, &world)
        } else if case .leader = role {
            stopServing(&world)
        }
        matched = 0
        acknowledged = 0
        role = .follower(leader: leader)
    }

    mutating func voteSaved(_ savedEpoch: Int64, _ candidate: Int32, _ world: inout World) {
        guard savedEpoch == epoch, candidate == vote, candidate >= 0 else { return }
        guard candidate == Int32(id) else { return send(.vote(epoch: epoch), to: Int(candidate), &world) }
        for peer in 0..<count where peer != id {
            send(.askVote(epoch: epoch, last: log.last?.zxid ?? .zero), to: peer, &world)
        }
        count(voteOf: id, &world)
    }

    mutating func askedForVote(by candidate: Int, _ wanted: Int64, _ last: Zxid, _ world: inout World) {
        // An epoch that is given up to a candidate with less would only be lost time.
        if wanted > epoch { follow(wanted, leader: nil, &world) }
        guard wanted == epoch, vote == -1 || vote == Int32(candidate), isVoter else { return }
        guard bug == .votesForAnyone || last >= log.last?.zxid ?? .zero else { return }
        vote = Int32(candidate)
        resetElection(&world)
        order(.vote(epoch: epoch, for: vote), bytes: 16, &world)
    }

    mutating func count(voteOf server: Int, _ world: inout World) {
        guard case .candidate(var votes) = role else { return }
        votes |= 1 << UInt64(server)
        role = .candidate(votes: votes)
        guard isQuorum(votes) else { return }
        var leadership = Leadership(
            next: [Int](repeating: log.count, count: count), matched: [Int](repeating: 0, count: count),
            answered: [Int64](repeating: 0, count: count), heartbeatAt: world.now, confirmedAt: world.now)
        if bug == .keepsProgressOfFormerTerm {
            leadership.matched = [Int](repeating: committed + 3, count: count)
        }
        leadership.matched[id] = durable
        role = .leader(leadership)
        propose(.none, cxid: 0, ToyCommand(kind: .begin), &world)
    }

    // MARK: Meeting

    mutating func met(_ peer: Int, _ world: inout World) {
        switch role {
        case .leader(var leadership):
            leadership.next[peer] = log.count
            role = .leader(leadership)
            replicate(to: peer, &world)
        case .candidate where vote == Int32(id):
            send(.askVote(epoch: epoch, last: log.last?.zxid ?? .zero), to: peer, &world)
        case .candidate, .follower: break
        }
    }

    mutating func lost(_ peer: Int, _ world: inout World) {
        guard case .follower(let leader) = role, leader == peer else { return }
        // What was forwarded may be lost, so that its clients have to ask another server.
        stopServing(&world)
        role = .follower(leader: nil)
    }

    mutating func received(_ message: ToyMessage, from peer: Int, _ world: inout World) {
        switch message {
        case .askVote(let wanted, let last): askedForVote(by: peer, wanted, last, &world)
        case .vote(let given): if given == epoch { count(voteOf: peer, &world) }
        case .append(let newEpoch, let round, let before, let start, let committed, let entries):
            append(
                newEpoch, round, before, Int(start), committed, entries, from: peer, &world)
        case .appended(let newEpoch, let round, let count):
            if newEpoch > epoch { follow(newEpoch, leader: nil, &world) }
            if newEpoch == epoch { progressed(peer, round, Int(count), &world) }
        case .refused(let newEpoch, let round, let count):
            if newEpoch > epoch { follow(newEpoch, leader: nil, &world) }
            if newEpoch == epoch { fellBack(peer, round, Int(count), &world) }
        case .forward(let session, let cxid, let command): forwarded(session, cxid, command, &world)
        case .touch(let session, let ping): touch(session, ping, via: peer, &world)
        case .touched(let session, let ping):
            if let index = guests.firstIndex(where: { $0.session == session && $0.isConnected }) {
                world.send(ToyMessage.pong(ping).frame, on: guests[index].link)
            }
        case .hello, .connect, .connected, .noSession, .request, .reply, .watch, .event, .ping, .pong, .bye: break
        }
    }
}

import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveTree
import ConclaveWire
import Testing

/// Whole servers of an ensemble, with a network and disks that take no time.
///
/// Servers have the ids 1, 2, 3 …. Histories stay short, so nobody ever needs a snapshot.
struct NodeRing {
    private struct Link {
        let ends: [ServerID]
        let isElection: Bool
    }

    private(set) var nodes: [NodeMachine]
    private(set) var now = Instant(milliseconds: 1_000_000)
    /// Which roles each server has had, in order.
    private(set) var roles: [[ServingRole]]
    private(set) var closed: [ConnectionID: DropReason] = [:]
    private var links: [LinkID: Link] = [:]
    private var serial: UInt64 = 0
    private var cut: Set<ServerID> = []
    private var received: [ConnectionID: FrameDecoder] = [:]

    var wall: WallTime { WallTime(milliseconds: 1_700_000_000_000 + now.milliseconds) }

    /// - Parameter apart: whether the servers begin without reaching each other.
    init(_ count: Int = 3, apart: Bool, tick: Int64 = 2000, configure: (inout ServerOptions) -> Void) throws {
        let members = (1...count).map { number in
            EnsembleMember(
                id: ServerID(rawValue: Int64(number)),
                addresses: [.init(host: "s\(number)", quorumPort: 1, electionPort: 2)])
        }
        let configuration = try EnsembleConfiguration(members: members)
        roles = members.map { _ in [] }
        nodes = []
        for member in members {
            var options = EnsembleOptions(myID: member.id)
            options.tickMilliseconds = tick
            var serverOptions = ServerOptions()
            serverOptions.tickMilliseconds = tick
            serverOptions.serverID = UInt8(member.id.rawValue)
            configure(&serverOptions)
            let server = ServerMachine(
                options: serverOptions, tree: DataTree(options: TreeOptions()), commandWords: [], now: now, wall: wall)
            nodes.append(
                NodeMachine(
                    options: options, configuration: configuration, role: .participant, server: server,
                    acceptedEpoch: 0, currentEpoch: 0, history: [], now: now))
        }
        if apart { cut = Set(members.map(\.id)) }
        for index in nodes.indices { nodes[index].start(now: now, wall: wall) }
        settle()
    }

    // MARK: Driving

    /// Nobody reaches the server any more.
    mutating func cut(_ id: ServerID) {
        cut.insert(id)
        for (link, value) in links.sorted(by: { $0.key.rawValue < $1.key.rawValue }) where value.ends.contains(id) {
            links[link] = nil
            for end in value.ends { close(link, at: end, isElection: value.isElection) }
        }
        settle()
    }

    mutating func heal() { cut = [] }

    /// Lets time pass, stopping wherever somebody wants to be woken.
    mutating func advance(milliseconds: Int64) {
        let end = now.advanced(byMilliseconds: milliseconds)
        while true {
            let next = nodes.map(\.nextDeadline).min() ?? .distantFuture
            now = max(now, min(next, end))
            for index in nodes.indices where nodes[index].nextDeadline <= now {
                nodes[index].tick(now: now, wall: wall)
            }
            settle()
            if now >= end { return }
            // What is due again at once would never let time pass.
            if next <= now, nodes.contains(where: { $0.nextDeadline <= now }) { now = now.advanced(byMilliseconds: 1) }
        }
    }

    func role(_ id: ServerID) -> ServingRole { nodes[Self.index(id)].server.role }

    private static func index(_ id: ServerID) -> Int { Int(id.rawValue) - 1 }

    private mutating func settle() {
        while true {
            var isQuiet = true
            for index in nodes.indices {
                nodes[index].turn(now: now, wall: wall)
                for action in nodes[index].takeActions() {
                    isQuiet = false
                    perform(action, of: nodes[index].options.myID)
                }
                for action in nodes[index].server.takeActions() {
                    if case .close(let id, let reason) = action { closed[id] = reason }
                }
                for id in nodes[index].server.takeFlushable() {
                    isQuiet = false
                    nodes[index].server.takeOutput(of: id) { received[id, default: FrameDecoder()].append($0) }
                }
            }
            if isQuiet { return }
        }
    }

    // MARK: Network and disks

    private mutating func perform(_ action: NodeAction, of id: ServerID) {
        let index = Self.index(id)
        switch action {
        case .dialElection(let other, _):
            if let link = open(id, other, isElection: true) {
                nodes[Self.index(other)].electionAccepted(link, now: now, wall: wall)
                nodes[index].electionDialled(other, link: link, now: now, wall: wall)
            } else {
                nodes[index].electionDialFailed(other, now: now, wall: wall)
            }
        case .dialLeader(let addresses):
            let number = Int64(addresses.first?.host.dropFirst() ?? "") ?? 0
            if let link = open(id, ServerID(rawValue: number), isElection: false) {
                nodes[Int(number) - 1].learnerAccepted(link, now: now, wall: wall)
                nodes[index].leaderDialled(link, now: now, wall: wall)
            } else {
                nodes[index].leaderDialFailed(now: now, wall: wall)
            }
        case .sendElection(let link, let bytes):
            guard let other = other(link, than: id) else { return }
            nodes[Self.index(other)].electionReceived(bytes.span, on: link, now: now, wall: wall)
        case .sendQuorum(let link, let bytes), .sendQuorumLater(let link, let bytes):
            guard let other = other(link, than: id) else { return }
            nodes[Self.index(other)].quorumReceived(bytes.span, on: link, now: now, wall: wall)
            nodes[index].quorumDrained(link, now: now, wall: wall)
        case .closeElection(let link), .closeQuorum(let link, _):
            guard let value = links.removeValue(forKey: link) else { return }
            for end in value.ends { close(link, at: end, isElection: value.isElection) }
        case .needSnapshot: Issue.record("a snapshot for a history that is empty")
        case .needHistory(let link, _, _, _): nodes[index].historyRead(link, proposals: nil, now: now, wall: wall)
        case .order(let order): store(order, at: index)
        case .roleChanged(let role): if roles[index].last != role { roles[index].append(role) }
        case .adopt, .announced, .note: break
        }
    }

    private mutating func store(_ order: StorageOrder, at index: Int) {
        switch order {
        case .append(let proposal):
            nodes[index].synced(
                DurableReceipt(syncedThrough: proposal.zxid), count: 1, now: now, wall: wall)
        case .saveAcceptedEpoch(let epoch): nodes[index].acceptedEpochSaved(epoch, now: now, wall: wall)
        case .saveCurrentEpoch(let epoch): nodes[index].currentEpochSaved(epoch, now: now, wall: wall)
        case .replaceHistory: nodes[index].historyReplaced(now: now, wall: wall)
        case .truncate, .reload: Issue.record("no history was ever to be cut")
        }
    }

    private mutating func open(_ id: ServerID, _ other: ServerID, isElection: Bool) -> LinkID? {
        guard !cut.contains(id), !cut.contains(other) else { return nil }
        serial += 1
        let link = LinkID(rawValue: serial)
        links[link] = Link(ends: [id, other], isElection: isElection)
        return link
    }

    private func other(_ link: LinkID, than id: ServerID) -> ServerID? { links[link]?.ends.first { $0 != id } }

    private mutating func close(_ link: LinkID, at end: ServerID, isElection: Bool) {
        if isElection {
            nodes[Self.index(end)].electionClosed(link, now: now, wall: wall)
        } else {
            nodes[Self.index(end)].quorumClosed(link, now: now, wall: wall)
        }
    }

    // MARK: Clients

    mutating func greet(_ id: ServerID, _ request: ConnectRequest) throws -> (ConnectionID, ConnectResponse?) {
        let index = Self.index(id)
        let connection = nodes[index].server.connectionOpened(
            peer: "127.0.0.1:4000", peerAddress: "127.0.0.1", now: now, wall: wall)
        var writer = ByteWriter()
        writer.writeConnectFrame(request)
        nodes[index].server.received(writer.bytes.span, on: connection, now: now, wall: wall)
        settle()
        guard let range = try received[connection]?.nextFrame(), let buffer = received[connection]?.buffer else {
            return (connection, nil)
        }
        var reader = ByteReader(buffer, in: range)
        return (connection, try ConnectResponse(from: &reader))
    }
}

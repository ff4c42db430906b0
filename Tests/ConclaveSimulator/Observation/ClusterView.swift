import ConclaveCore

/// What is known about all servers, from what they report: the ground on which the invariants are judged.
package struct ClusterView: Sendable {
    package struct ServerView: Sendable {
        /// Everything in the history, durable or not.
        package internal(set) var tip = HistoryTree.root
        package internal(set) var durable = HistoryTree.root
        /// The state shown to clients; `nil` while none is shown.
        package internal(set) var applied: HistoryTree.Place?
        package internal(set) var acceptedEpoch: Int64 = 0
        package internal(set) var currentEpoch: Int64 = 0
        /// The epoch that it leads, as leader of a quorum.
        package internal(set) var leads: Int64?
        package internal(set) var isUp = false
        /// Its disk was damaged on purpose: it may refuse to start, but must not forget.
        package internal(set) var isDamaged = false
    }

    package internal(set) var servers: [ServerView]
    /// Bit n for server n: whose acknowledgement counts. The rule is the majority.
    package internal(set) var voters: UInt64
    package internal(set) var tree = HistoryTree()
    /// The committed history, in order: the place at n has depth n + 1.
    package private(set) var committed: [HistoryTree.Place] = []
    /// Until when, in true time, which client believes in a session. Asked for single sessions only.
    package internal(set) var holds: [SessionID: (until: Int64, client: Int)] = [:]
    package private(set) var lastLeader: Int?
    package private(set) var elections = 0

    /// What an observation changed, for the invariants.
    struct Step {
        let observation: Observation
        let server: Int
        let time: Int64
        /// As it was before.
        let before: ServerView
        /// Where the zxid that was named stands; `nil` if nobody ever logged it.
        var place: HistoryTree.Place?
        /// Depths, from 0, of what was committed by this.
        var newlyCommitted = 0..<0
        /// What another server's state had there, if its digest is not the same.
        var otherDigest: UInt64?
    }

    init(servers: Int, voters: UInt64) {
        self.servers = [ServerView](repeating: ServerView(), count: servers)
        self.voters = voters
    }

    package var committedTip: HistoryTree.Place { committed.last ?? HistoryTree.root }
    package var lastCommitted: Zxid { tree[committedTip].zxid }
    /// The committed transactions, in order.
    package var committedEntries: [LogEntry] { committed.map { tree[$0] } }

    /// The server that leads the newest epoch and is up.
    package var leader: Int? {
        guard let lastLeader, servers[lastLeader].leads != nil else { return nil }
        return lastLeader
    }

    func isCommitted(_ place: HistoryTree.Place) -> Bool {
        let depth = Int(tree.depth(of: place))
        return depth == 0 || (depth <= committed.count && committed[depth - 1] == place)
    }

    /// Whether a quorum would still have everything up to `place` if all servers crashed now.
    func isDurableOnQuorum(_ place: HistoryTree.Place) -> Bool {
        var holding = 0
        for server in servers.indices where voters & (1 << UInt64(server)) != 0 {
            if tree.contains(place, in: servers[server].durable) { holding += 1 }
        }
        return holding * 2 > voters.nonzeroBitCount
    }

    // MARK: Changes

    mutating func record(_ observation: Observation, by server: Int, at time: Int64) -> Step {
        var step = Step(
            observation: observation, server: server, time: time,
            before: server < servers.count ? servers[server] : ServerView())
        switch observation {
        case .recovered(let zxid):
            step.place = tree.place(of: zxid)
            let place = step.place ?? HistoryTree.root
            servers[server].tip = place
            servers[server].durable = place
            servers[server].isUp = true
        case .logged(let entry):
            let place = tree.add(entry, behind: servers[server].tip)
            step.place = place
            servers[server].tip = place
        case .durable(let zxid):
            servers[server].durable = tree.place(of: zxid, below: servers[server].tip)
            step.place = servers[server].durable
        case .truncated(let zxid):
            let place = tree.place(of: zxid, below: servers[server].tip)
            step.place = place
            servers[server].tip = place
            servers[server].durable = tree.place(of: zxid, below: servers[server].durable)
        case .installed(let zxid):
            step.place = tree.place(of: zxid)
            servers[server].tip = step.place ?? HistoryTree.root
            // Until the snapshot is durable, the disk holds what it held, of which the common part counts.
            while !tree.contains(servers[server].durable, in: servers[server].tip) {
                servers[server].durable = tree.parent(of: servers[server].durable)
            }
        case .acceptedEpoch(let epoch): servers[server].acceptedEpoch = epoch
        case .currentEpoch(let epoch): servers[server].currentEpoch = epoch
        case .acknowledged(let zxid): step.place = tree.place(of: zxid)
        case .activated(let epoch):
            let place = servers[server].tip
            step.place = place
            tree.begin(epoch: epoch, at: place)
            servers[server].leads = epoch
            lastLeader = server
            elections += 1
            commit(through: place, &step)
        case .serving(let zxid, let digest):
            let place = tree.place(of: zxid, below: servers[server].tip)
            step.place = place
            servers[server].applied = place
            // Nobody else may have shown yet what a leader has committed.
            if tree.contains(committedTip, in: place), isDurableOnQuorum(place) { commit(through: place, &step) }
            if let digest { step.otherDigest = tree.compare(digest, at: place) }
        case .applied(let zxid, let digest):
            step.place = tree.place(of: zxid)
            guard let place = step.place else { break }
            servers[server].applied = place
            if tree.parent(of: place) == committedTip { commit(through: place, &step) }
            if let digest { step.otherDigest = tree.compare(digest, at: place) }
        case .stoppedServing:
            servers[server].applied = nil
            servers[server].leads = nil
        case .answered(_, _, let zxid): step.place = tree.place(of: zxid)
        case .released(let session): holds[session] = nil
        case .held: break
        }
        return step
    }

    /// A client that is no more believes in nothing.
    mutating func buried(client: Int) { holds = holds.filter { $0.value.client != client } }

    mutating func crashed(_ server: Int) {
        servers[server].applied = nil
        servers[server].leads = nil
        servers[server].isUp = false
    }

    /// Makes everything up to `place` committed, unless something else already is.
    private mutating func commit(through place: HistoryTree.Place, _ step: inout Step) {
        guard tree.contains(committedTip, in: place) else { return }
        let first = committed.count
        let last = Int(tree.depth(of: place))
        guard last > first else { return }
        committed.append(contentsOf: repeatElement(place, count: last - first))
        var at = tree.parent(of: place)
        var index = last - 2
        while index >= first {
            committed[index] = at
            at = tree.parent(of: at)
            index -= 1
        }
        step.newlyCommitted = first..<last
    }
}

import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveTree
import ConclaveWire
import Testing

/// What the logs are read for, when many learners lack something at once.
///
/// Strangers on the quorum port may say so too; once each of them had its order to the disk at once, and the server trapped
/// behind the limit of orders (found by `Tests/Interop/run peers-fire`).
struct HistoryQuestionTests {
    /// A leader whose history ends at 1:5, none of it in memory, and its actions so far.
    private struct Lone {
        var node: NodeMachine
        private(set) var questions: [LinkID] = []
        private(set) var now = Instant(milliseconds: 1_000_000)
        let wall = WallTime(milliseconds: 1_700_000_000_000)

        init() throws {
            let members = [1, 2].map { number in
                EnsembleMember(
                    id: ServerID(rawValue: number), addresses: [.init(host: "s", quorumPort: 1, electionPort: 2)],
                    role: number == 1 ? .participant : .observer)
            }
            var tree = DataTree(options: TreeOptions())
            tree.beginLoading()
            _ = tree.finishLoading(zxid: Zxid(epoch: 1, counter: 5), digest: nil)
            let server = ServerMachine(
                options: ServerOptions(), tree: tree, commandWords: [], now: now, wall: wall)
            node = NodeMachine(
                options: EnsembleOptions(myID: ServerID(rawValue: 1)),
                configuration: try EnsembleConfiguration(members: members), role: .participant, server: server,
                acceptedEpoch: 1, currentEpoch: 1, history: [], now: now)
            node.start(now: now, wall: wall)
            for _ in 0..<100 where node.currentEpoch < 2 {
                now = node.nextDeadline
                node.tick(now: now, wall: wall)
                perform()
            }
        }

        mutating func perform() {
            while true {
                let actions = node.takeActions()
                if actions.isEmpty { return }
                for action in actions {
                    switch action {
                    case .needHistory(let link, _, _, _): questions.append(link)
                    case .order(.saveAcceptedEpoch(let epoch)): node.acceptedEpochSaved(epoch, now: now, wall: wall)
                    case .order(.saveCurrentEpoch(let epoch)): node.currentEpochSaved(epoch, now: now, wall: wall)
                    default: break
                    }
                }
            }
        }

        /// A learner that has nothing behind 1:2.
        mutating func join(_ number: UInt64) {
            let link = LinkID(rawValue: number)
            node.learnerAccepted(link, now: now, wall: wall)
            let info = LearnerInfo(serverID: ServerID(rawValue: Int64(number)), configurationVersion: 0)
            let last = Zxid(epoch: 1, counter: 2)
            for packet in [
                QuorumPacket(.observerInfo, zxid: Zxid(epoch: 1, counter: 0), data: info.data),
                QuorumPacket(.ackEpoch, zxid: last, data: AckEpoch(currentEpoch: 1).data),
            ] {
                node.quorumReceived(packet.bytes.span, on: link, now: now, wall: wall)
            }
            perform()
        }

        mutating func answer(_ link: LinkID) {
            node.historyRead(link, proposals: nil, now: now, wall: wall)
            perform()
        }
    }

    @Test("One learner's at a time, in the order in which they asked, and not for those who have left")
    func oneAtATime() throws {
        var leader = try Lone()
        #expect(leader.node.phase == .leading)
        for number in 10..<70 as Range<UInt64> { leader.join(number) }
        #expect(leader.questions == [LinkID(rawValue: 10)])
        for number in 11..<60 as Range<UInt64> {
            leader.node.quorumClosed(LinkID(rawValue: number), now: leader.now, wall: leader.wall)
        }
        leader.perform()
        #expect(leader.questions == [LinkID(rawValue: 10)])
        for number in [10, 60, 61] as [UInt64] { leader.answer(LinkID(rawValue: number)) }
        #expect(leader.questions.map(\.rawValue) == [10, 60, 61, 62])
    }
}

import ConclaveCore
import ConclaveWire

/// The stream of transactions, the same while synchronising and afterwards.
extension LearnerMachine {
    /// PROPOSAL: to be logged, and applied once it is committed.
    mutating func receivedProposal(_ packet: QuorumPacket) {
        guard let proposal = proposal(packet.data, zxid: packet.zxid) else { return }
        take(proposal, isAcknowledged: role == .participant)
    }

    /// COMMIT.
    mutating func receivedCommit(_ zxid: Zxid) { commit(zxid, designatedLeader: nil) }

    /// COMMITANDACTIVATE.
    mutating func receivedCommitAndActivate(_ packet: QuorumPacket) {
        guard let activation = try? Activation(packet.data) else {
            return end("server \(leader) activated a configuration without naming its leader")
        }
        commit(packet.zxid, designatedLeader: activation.leader)
    }

    /// INFORM: a proposal that is committed already.
    mutating func receivedInform(_ packet: QuorumPacket) {
        inform(packet.data, zxid: packet.zxid, designatedLeader: nil)
    }

    /// INFORMANDACTIVATE.
    mutating func receivedInformAndActivate(_ packet: QuorumPacket) {
        guard let activation = try? Activation(packet.data) else {
            return end("server \(leader) activated a configuration without naming its leader")
        }
        inform(activation.body, zxid: packet.zxid, designatedLeader: activation.leader)
    }

    private mutating func inform(_ body: [UInt8]?, zxid: Zxid, designatedLeader: ServerID?) {
        guard let proposal = proposal(body, zxid: zxid) else { return }
        take(proposal, isAcknowledged: false)
        guard phase != .ended else { return }
        commit(zxid, designatedLeader: designatedLeader)
    }

    private mutating func proposal(_ body: [UInt8]?, zxid: Zxid) -> Proposal? {
        do throws(DecodingError) {
            let proposal = try Proposal(body: body)
            guard proposal.zxid == zxid else {
                end("server \(leader) sent transaction \(proposal.zxid) under the number \(zxid)")
                return nil
            }
            return proposal
        } catch {
            end("server \(leader) sent a transaction \(zxid) that cannot be read: \(error)")
            return nil
        }
    }

    private mutating func take(_ proposal: Proposal, isAcknowledged: Bool) {
        // What is in the snapshot, or was sent while the leader began to forward, may come again.
        guard proposal.zxid > backlog.received else { return }
        guard backlog.isNext(proposal.zxid), Int64(proposal.zxid.epoch) <= epoch else {
            return end("server \(leader) sent transaction \(proposal.zxid) behind \(backlog.received)")
        }
        if case .reconfigure(_, let data, _) = proposal.transaction.change {
            guard rememberConfiguration(data, zxid: proposal.zxid) else { return }
        }
        if memoryIsStale {
            backlog.hold(proposal, isAcknowledged: isAcknowledged)
        } else {
            backlog.append(proposal, isAcknowledged: isAcknowledged)
            actions.append(.append(proposal))
        }
    }

    private mutating func commit(_ zxid: Zxid, designatedLeader: ServerID?) {
        guard zxid > backlog.committed else { return }
        guard let first = backlog.uncommitted.first, first.zxid == zxid else {
            let expected = backlog.uncommitted.first.map(\.zxid.description) ?? "none"
            return end("server \(leader) committed \(zxid), the oldest proposal is \(expected)")
        }
        if let held = backlog.commitFirst() {
            actions.append(.apply(held))
        } else if case .commit? = actions.last {
            actions[actions.count - 1] = .commit(through: zxid)
        } else {
            actions.append(.commit(through: zxid))
        }
        guard let change = proposed.first, change.zxid == zxid else { return }
        proposed.removeFirst()
        if let designatedLeader { adopt(change.configuration, designatedLeader: designatedLeader) }
    }
}

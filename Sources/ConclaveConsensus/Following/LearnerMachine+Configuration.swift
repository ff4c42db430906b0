import ConclaveCore
import ConclaveWire

/// A configuration whose transaction is not committed yet.
struct ProposedConfiguration: Sendable {
    let zxid: Zxid
    let configuration: EnsembleConfiguration
}

/// Following changes of the ensemble. Without `reconfigEnabled` nothing of this happens.
extension LearnerMachine {
    /// One change may be outstanding at a time; a few more do no harm.
    private static let maximumProposed = 16

    /// The text in NEWLEADER: the newest configuration that the leader has seen.
    mutating func announceConfiguration(_ data: [UInt8]?) {
        // The reference sends one byte at the most where there is none.
        guard options.reconfigEnabled, let data, data.count > 1 else { return }
        do throws(EnsembleConfigurationError) {
            let announced = try EnsembleConfiguration(text: String(decoding: data, as: UTF8.self))
            guard announced.version > configuration.version else { return }
            self.announced = announced
            actions.append(.announced(announced))
        } catch {
            end("server \(leader) has a configuration that cannot be read: \(error)")
        }
    }

    /// The data of a reconfig transaction.
    /// - Returns: false if it cannot be read.
    mutating func rememberConfiguration(_ data: [UInt8]?, zxid: Zxid) -> Bool {
        guard options.reconfigEnabled else { return true }
        do throws(EnsembleConfigurationError) {
            let configuration = try EnsembleConfiguration(text: String(decoding: data ?? [], as: UTF8.self))
            guard proposed.count < Self.maximumProposed else {
                end("server \(leader) proposed \(proposed.count) configurations without committing one")
                return false
            }
            proposed.append(ProposedConfiguration(zxid: zxid, configuration: configuration))
            actions.append(.announced(configuration))
            return true
        } catch {
            end("server \(leader) proposed a configuration that cannot be read: \(error)")
            return false
        }
    }

    /// A configuration holds from now on; whoever changes its role or its leader through it elects again.
    ///
    /// - Parameter designatedLeader: who leads under it; `nil` if nobody was named, and the present leader goes on if
    ///   it can.
    mutating func adopt(_ next: EnsembleConfiguration, designatedLeader: ServerID?) {
        guard next.version > configuration.version else { return }
        let previous = configuration
        configuration = next
        actions.append(.adopt(next))
        guard previous.with(version: next.version) != next else { return }
        // Whoever is in no list goes on as a follower that nobody counts.
        let nextRole = next.member(options.myID)?.role ?? .participant
        if nextRole != role { return end("the new configuration makes this server \(nextRole.name)") }
        if let designatedLeader {
            if designatedLeader != leader { end("server \(designatedLeader) leads under the new configuration") }
        } else if !Self.isKept(leader, previous, next) {
            end("server \(leader) does not lead under the new configuration")
        }
    }

    /// Whether a server votes under both configurations and is reached by the same addresses.
    private static func isKept(
        _ server: ServerID, _ previous: EnsembleConfiguration, _ next: EnsembleConfiguration
    ) -> Bool {
        guard let before = previous.member(server), let after = next.member(server) else { return false }
        return before.role == .participant && after.role == .participant && before.addresses == after.addresses
    }
}

extension EnsembleMember.Role {
    fileprivate var name: String {
        switch self {
        case .participant: "a participant"
        case .observer: "an observer"
        }
    }
}

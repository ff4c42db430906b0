public import ConclaveCore
import ConclaveNode

extension LocalQuorum {
    /// Ways of serving that are off unless somebody asks for them. Each is a key of the configuration file of real servers.
    public struct Modes: OptionSet, Hashable, Sendable {
        /// The bits.
        public let rawValue: Int

        /// Makes modes from their bits.
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// A server that has looked for a leader for two seconds lets clients read that have asked for it. Key
        /// `readonlymode.enabled`.
        public static let readOnly = Modes(rawValue: 1)
        /// New sessions stay with the server that their client is connected to: cheap, without ephemeral nodes, and over when the
        /// client goes to another server. Key `localSessionsEnabled`.
        public static let localSessions = Modes(rawValue: 2)
        /// The first ephemeral node makes such a session a global one. Key `localSessionsUpgradingEnabled`.
        public static let localSessionsUpgrading = Modes(rawValue: 4)

        func apply(to settings: inout EnsembleSettings) {
            settings.readOnlyModeEnabled = contains(.readOnly)
            settings.localSessionsEnabled = contains(.localSessions)
            settings.localSessionsUpgradingEnabled = contains(.localSessionsUpgrading)
        }
    }

    /// Whether a server serves nothing but reads at the moment, for want of a leader.
    /// - Throws: `.badArguments` if there is no such server.
    public func isReadOnly(_ id: ServerID) throws(ZooKeeperError) -> Bool { try member(id).role == .readOnly }

    /// Returns when a server serves nothing but reads; without ``Modes/readOnly`` that is never.
    ///
    /// - Throws: `.badArguments` if there is no such server, `.cancelled`.
    public func untilReadOnly(_ id: ServerID) async throws(ZooKeeperError) {
        _ = try member(id)
        _ = try await board.until { state -> Bool? in
            state.members.contains { $0.id == id && $0.role == .readOnly } ? true : nil
        }
    }
}

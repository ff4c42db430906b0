import ConclaveCore

/// A wish to change who belongs to an ensemble, as a client sends it, and what becomes of it.
///
/// Either ``newMembers`` replaces everything: the lines of a configuration, separated by commas or newlines. Or, with
/// majority quorums only, ``leaving`` servers go and ``joining`` ones come or change, in this order: `3,4` and
/// `server.5=host:2888:3888;2181,…`.
package struct Reconfiguration: Equatable, Sendable {
    package var joining: String?
    package var leaving: String?
    package var newMembers: String?
    /// The version that the change is meant for; -1 for any.
    package var expectedVersion: Int64

    package init(
        joining: String? = nil, leaving: String? = nil, newMembers: String? = nil, expectedVersion: Int64 = -1
    ) {
        self.joining = joining
        self.leaving = leaving
        self.newMembers = newMembers
        self.expectedVersion = expectedVersion
    }

    /// Why a change is not made.
    package struct Refusal: Error, Equatable, Sendable {
        package let code: ZooKeeperError.Code
        /// A sentence for people.
        package let message: String
    }

    /// What the ensemble becomes.
    ///
    /// - Parameters:
    ///   - committed: the configuration in force.
    ///   - lastSeen: the newest one known, which is another while a change is under way.
    ///   - zxid: of the transaction that makes the change; its version.
    ///   - standaloneEnabled: whether a server may stand alone, which an ensemble must then not shrink to.
    /// - Throws: `.reconfigurationInProgress`, `.badVersion`, `.badArguments`, looked for in this order.
    /// - Source: spec quorum-protocol 11; PrepRequestProcessor.
    package func applied(
        to committed: EnsembleConfiguration, lastSeen: EnsembleConfiguration, at zxid: Zxid, standaloneEnabled: Bool
    ) throws(Refusal) -> EnsembleConfiguration {
        guard lastSeen.version == committed.version else {
            throw Refusal(code: .reconfigurationInProgress, message: "another reconfiguration is under way")
        }
        guard expectedVersion == -1 || expectedVersion == lastSeen.version else {
            let found = String(UInt64(bitPattern: lastSeen.version), radix: 16)
            let wanted = String(UInt64(bitPattern: expectedVersion), radix: 16)
            throw Refusal(code: .badVersion, message: "the version is \(found), the change is meant for \(wanted)")
        }
        let changed: EnsembleConfiguration
        do throws(EnsembleConfigurationError) {
            if let newMembers {
                changed = try Self.replacing(newMembers)
            } else {
                changed = try incremental(lastSeen)
            }
        } catch {
            throw Refusal(code: .badArguments, message: error.description)
        }
        let needed = standaloneEnabled ? 2 : 1
        guard changed.voters.count >= needed else {
            let text = "\(changed.voters.count) voters are left, at least \(needed) are needed"
            throw Refusal(code: .badArguments, message: text)
        }
        // Only groups that nobody votes in, or no weight at all, make this impossible.
        guard changed.isQuorum({ _ in true }) else {
            throw Refusal(code: .badArguments, message: "not even all voters together are a quorum")
        }
        return changed.with(version: zxid.rawValue)
    }

    /// Makes sure that the changed ensemble can go on: that a quorum of it is connected and has caught up.
    ///
    /// - Parameter isSynced: asked for every voter; servers that only observe so far are none.
    /// - Throws: `.newConfigurationNoQuorum`.
    package static func requireQuorum(
        of changed: EnsembleConfiguration, _ isSynced: (ServerID) -> Bool
    ) throws(Refusal) {
        guard changed.isQuorum(isSynced) else {
            throw Refusal(
                code: .newConfigurationNoQuorum,
                message: "no quorum of the new configuration is connected and has caught up")
        }
    }
}

// MARK: Everything at once

extension Reconfiguration {
    private static func replacing(_ lines: String) throws(EnsembleConfigurationError) -> EnsembleConfiguration {
        guard lines.utf8.count <= EnsembleConfiguration.maximumTextBytes else { throw tooLong }
        let changed = try EnsembleConfiguration(text: String(lines.map { $0 == "," ? "\n" : $0 }))
        try changed.requireWeights()
        return changed
    }

    private static var tooLong: EnsembleConfigurationError {
        .malformed("a change has at most \(EnsembleConfiguration.maximumTextBytes) bytes")
    }
}

// MARK: One server after the other

extension Reconfiguration {
    private func incremental(
        _ old: EnsembleConfiguration
    ) throws(EnsembleConfigurationError) -> EnsembleConfiguration {
        guard !old.isHierarchical else {
            throw .malformed("with groups and weights, a change names all members")
        }
        var members = old.members
        for text in try Self.list(leaving) {
            guard let id = Int64(text) else { throw .malformed("\"\(text.prefix(100))\" is no id of a server") }
            members.removeAll { $0.id.rawValue == id }
        }
        for text in try Self.list(joining) {
            let member = try Self.joiner(text)
            members.removeAll { $0.id == member.id }
            for other in members {
                if let address = member.sharedAddress(with: other) {
                    throw .malformed("server \(member.id): \(address) belongs to server \(other.id)")
                }
            }
            guard members.count < EnsembleConfiguration.maximumMembers else {
                throw .malformed("an ensemble has at most \(EnsembleConfiguration.maximumMembers) servers")
            }
            members.append(member)
        }
        return try EnsembleConfiguration(members: members)
    }

    /// The parts between commas, blanks around them gone; empty ones do not count.
    private static func list(_ text: String?) throws(EnsembleConfigurationError) -> [Substring] {
        guard let text else { return [] }
        guard text.utf8.count <= EnsembleConfiguration.maximumTextBytes else { throw tooLong }
        let parts = text.split(separator: ",").map(trimmed).filter { !$0.isEmpty }
        guard parts.count <= EnsembleConfiguration.maximumMembers else {
            throw .malformed("at most \(EnsembleConfiguration.maximumMembers) servers can change at once")
        }
        return parts
    }

    /// `server.N=host:2888:3888[:role];[host:]2181`; what stands before the last dot of the key does not matter.
    private static func joiner(_ text: Substring) throws(EnsembleConfigurationError) -> EnsembleMember {
        let parts = text.split(separator: "=").map(trimmed).filter { !$0.isEmpty }
        guard parts.count == 2 else {
            throw .malformed("a server that joins looks like server.N=HOST:2888:3888;2181")
        }
        let number = parts[0].split(separator: ".", omittingEmptySubsequences: false).last ?? ""
        guard let id = Int64(number) else { throw .malformed("\"\(number.prefix(100))\" is no id of a server") }
        let member = try EnsembleMember(id: ServerID(rawValue: id), specification: parts[1])
        guard member.clientPort != nil else {
            throw .malformed(
                "server \(id): a server that joins has three ports, the third for clients behind a semicolon")
        }
        return member
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0.isWhitespace }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text
    }
}

extension EnsembleConfiguration {
    /// Makes sure that everybody in a group has a weight, as voters always do: the reference stops at a list in which
    /// somebody has none, so that neither files nor changes may bring one into an ensemble.
    package func requireWeights() throws(EnsembleConfigurationError) {
        for group in groups {
            for member in group.members where !weights.contains(where: { $0.server == member }) {
                throw .malformed("group.\(group.id) names server \(member), which is no voter and has no weight")
            }
        }
    }
}

extension EnsembleMember {
    /// A host and port that two servers would both listen on.
    ///
    /// Compared as they are written. Addresses that mean another machine on each machine do not count: all of its
    /// addresses, and loopback.
    fileprivate func sharedAddress(with other: EnsembleMember) -> String? {
        let taken = other.places
        return places.first { taken.contains($0) }.map { "\($0.host):\($0.port)" }
    }

    private struct Place: Equatable {
        let host: String
        let port: Int
    }

    private var places: [Place] {
        var places: [Place] = []
        for address in addresses {
            places.append(Place(host: address.host, port: address.quorumPort))
            places.append(Place(host: address.host, port: address.electionPort))
        }
        if let clientHost, let clientPort { places.append(Place(host: clientHost, port: clientPort)) }
        return places.filter { place in
            !["0.0.0.0", "::", "::1", "localhost"].contains(place.host) && !place.host.hasPrefix("127.")
        }
    }
}

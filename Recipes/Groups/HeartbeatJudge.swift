import ConclaveCore

/// Decides who is alive, suspect or dead from looks at a group: pure arithmetic over versions and a clock of one's own.
///
/// A member beats by writing its node, so its version moves on; how long it has not is measured by the monitor's own
/// clock, from the look that saw the last beat. No two machines' clocks are compared. Time in which the monitor itself
/// could not look counts for nobody.
package struct HeartbeatJudge: Sendable {
    private struct Record {
        var member: GroupMember
        /// When the present version was seen first, by the monitor's clock.
        var heard: Duration
        var condition: MemberHealth.Condition
    }

    /// How many members that have gone are remembered.
    package static let memoryLimit = 1_000

    private let suspectAfter: Duration?
    private let deadAfter: Duration?
    private var records: [String: Record] = [:]
    /// Those that have gone, the longest gone first.
    private var gone: [String] = []
    private var lastLook: Duration?

    package init(suspectAfter: Duration?, deadAfter: Duration?) {
        self.suspectAfter = suspectAfter
        self.deadAfter = deadAfter
    }

    /// Takes a look at everybody who is there.
    ///
    /// - Parameters:
    ///   - now: by a clock that does not go back.
    ///   - afterGap: whether the monitor could not look for a while before.
    /// - Returns: those whose condition is another one than at the look before, sorted by name.
    package mutating func look(_ members: [GroupMember], at now: Duration, afterGap: Bool = false) -> [MemberHealth] {
        let gap = afterGap ? now - (lastLook ?? now) : .zero
        lastLook = now
        var changed: [MemberHealth] = []
        var present: Set<String> = []
        for member in members {
            present.insert(member.name)
            guard var record = records[member.name] else {
                let record = Record(member: member, heard: now, condition: .alive)
                records[member.name] = record
                changed.append(health(of: record, at: now))
                continue
            }
            let before = record.condition
            let isHeard = record.member.incarnation != member.incarnation || record.member.version != member.version
            record.heard = isHeard ? now : record.heard + gap
            record.member = member
            record.condition = condition(after: now - record.heard)
            records[member.name] = record
            if before == .dead(.gone) { gone.removeAll { $0 == member.name } }
            if before != record.condition { changed.append(health(of: record, at: now)) }
        }
        let missing = records.filter { $0.value.condition != .dead(.gone) && !present.contains($0.key) }
        for (name, record) in missing.sorted(by: { $0.key < $1.key }) {
            var record = record
            record.condition = .dead(.gone)
            records[name] = record
            gone.append(name)
            changed.append(health(of: record, at: now))
        }
        while gone.count > Self.memoryLimit { records[gone.removeFirst()] = nil }
        return changed.sorted { $0.name < $1.name }
    }

    /// Everybody who is there or is remembered, sorted by name.
    package func everybody(at now: Duration) -> [MemberHealth] {
        records.values.map { health(of: $0, at: now) }.sorted { $0.name < $1.name }
    }

    private func condition(after silence: Duration) -> MemberHealth.Condition {
        if let deadAfter, silence >= deadAfter { return .dead(.silent) }
        if let suspectAfter, silence >= suspectAfter { return .suspect }
        return .alive
    }

    private func health(of record: Record, at now: Duration) -> MemberHealth {
        MemberHealth(
            name: record.member.name, condition: record.condition,
            lastBeatMilliseconds: record.member.writtenMilliseconds, silence: max(.zero, now - record.heard),
            member: record.member)
    }
}

import ConclaveCore
import ConclaveSimulator

/// Everything about one run that judges look at.
struct RecipeCase {
    typealias Hold = RecipeJournal.Hold

    let scenario: Scenario
    let history: RecipeHistory
    let journals: [(journal: RecipeJournal, isAlive: Bool)]
    /// All holds, in the order in which they were granted.
    let holds: [Hold]
    /// Sessions in which somebody still lives at the end.
    let livingSessions: Set<SessionID>
    let faults: FaultCounts

    init(_ testimony: Testimony<RecipeClient>, _ scenario: Scenario) {
        self.scenario = scenario
        history = RecipeHistory(testimony)
        faults = testimony.faults
        journals = testimony.witnesses.map { ($0.journal, $0.isAlive) }
        holds = journals.flatMap(\.journal.holds).sorted { $0.moment < $1.moment }
        livingSessions = Set(journals.filter(\.isAlive).map(\.journal.session).filter { $0 != .none })
    }

    func holds(at place: Scenario.Place) -> [Hold] { holds.filter { $0.holding.path == place.path } }

    /// When the node of a hold went, in the order of the ensemble; never if it was there at the end.
    func end(of hold: Hold) -> Zxid {
        history.life(of: hold.holding.node, created: hold.holding.token)?.deleted ?? Zxid(rawValue: .max)
    }

    var tallies: [String: Int] {
        var losses = 0
        for hold in holds { losses += hold.endings.count { if case .lost = $0.ending { true } else { false } } }
        return [
            "grants": holds.count, "losses": losses,
            "additions": journals.reduce(0) { $0 + $1.journal.additions.count { $0.output != nil } },
            "pictures": journals.reduce(0) { $0 + $1.journal.pictures.count },
            "revisions": journals.reduce(0) { $0 + $1.journal.publications.count { $0.stat != nil } },
            "revisions seen": journals.reduce(0) { $0 + $1.journal.sightings.count },
            "snapshots": journals.reduce(0) { $0 + $1.journal.snapshots.count },
            "nodes copied": journals.reduce(0) { $0 + $1.journal.copies.reduce(0) { $0 + $1.changes.count } },
            "assignments": history.writes.count { RecipeHistory.name(of: $0.path) == "assignment" },
            "commands given": journals.reduce(0) { $0 + $1.journal.commands.count },
            "items put": journals.reduce(0) { $0 + $1.journal.puts.count(where: \.isPut) },
            "items taken": journals.reduce(0) { $0 + $1.journal.takes.reduce(0) { $0 + ($1.payloads?.count ?? 0) } },
            "passages": journals.reduce(0) { $0 + $1.journal.passages.count { $0.enteredAt != nil } },
            "gates and latches": journals.reduce(0) { $0 + $1.journal.waits.count { $0.until != nil } },
            "hand-overs": journals.reduce(0) { $0 + $1.journal.handOvers },
            "attempts": journals.reduce(0) { $0 + $1.journal.attempts },
            "withdrawals": journals.reduce(0) { $0 + $1.journal.withdrawn },
            "overtaken writes": BareWrites.overtaken(self),
            "refused uses": FencedUses.refused(self),
        ]
    }
}

extension RecipeJournal.Hold {
    /// Whether the two must never be at the same time.
    func excludes(_ other: Self) -> Bool { holding.excludes(other.holding) }
}

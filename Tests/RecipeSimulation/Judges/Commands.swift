import ConclaveCore
import Recipes

/// A command is published once; each client is given all of them in their order, twice only with the word that it is
/// repeated; what a command changes together with its acknowledgement is changed once.
///
/// A publication that was withdrawn takes its command away again: who has not begun with it by then never will.
/// Source: DESIGN section 8, command channel; documentation of `CommandChannel`.
struct Commands: RecipeJudge {
    static let name = "commands: each once, in order, by every client"

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places where place.family == .commands {
            let nodes = CommandNodes(at: place.path)
            let lives = run.history.lives(below: nodes.commands)
            let finding =
                published(run, place, lives) ?? given(run, place, lives) ?? carriedOut(run, place, nodes, lives)
            if let finding { return finding }
        }
        return nil
    }

    private static func published(
        _ run: RecipeCase, _ place: Scenario.Place, _ lives: [RecipeHistory.Life]
    ) -> String? {
        for order in run.journals.flatMap(\.journal.orders) where order.path == place.path {
            let made = lives.filter { $0.path.contains(order.attempt) }
            guard made.count <= 1 else { return "a command was published as \(made[0].path) and as \(made[1].path)" }
            guard let number = order.number else { continue }
            guard let life = made.first, self.number(of: life) == number, life.deleted == nil else {
                return "command \(number) was said to be published and is not there"
            }
        }
        return nil
    }

    /// In the order of each client's life: those that were killed come first in the testimony.
    private static func given(
        _ run: RecipeCase, _ place: Scenario.Place, _ lives: [RecipeHistory.Life]
    ) -> String? {
        let kept = Set(lives.filter { $0.deleted == nil }.compactMap { number(of: $0) })
        var last: [Int: Int32] = [:]
        for (journal, _) in run.journals {
            for command in journal.commands where command.path == place.path {
                let before = last[journal.process] ?? -1
                let isNext = command.number > before || command.number == before && command.isRepeated
                guard isNext, kept.isDisjoint(with: (before + 1)..<max(before + 1, command.number)) else {
                    let word = command.isRepeated ? "again " : ""
                    return "client \(journal.process) was given command \(command.number) \(word)after \(before)"
                }
                last[journal.process] = command.number
            }
        }
        return nil
    }

    private static func carriedOut(
        _ run: RecipeCase, _ place: Scenario.Place, _ nodes: CommandNodes, _ lives: [RecipeHistory.Life]
    ) -> String? {
        let effects = run.history.lives(below: nodes.effects).map { RecipeHistory.name(of: $0.path).dropLast(11) }
        let once = Set(effects)
        guard once.count == effects.count else {
            let twice = once.first { effect in effects.count { $0 == effect } > 1 } ?? ""
            return "what client and command \(twice) change was changed twice"
        }
        for (journal, isAlive) in run.journals {
            guard isAlive, let look = journal.lastLook else { continue }
            for life in lives where life.created <= look && life.deleted == nil {
                guard let number = number(of: life), once.contains("c\(journal.process)-\(number)") else {
                    return "client \(journal.process) has not carried out \(life.path)"
                }
            }
        }
        return nil
    }

    private static func number(of life: RecipeHistory.Life) -> Int32? {
        ContenderName(RecipeHistory.name(of: life.path))?.sequence
    }
}

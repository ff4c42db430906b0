import ConclaveCore
import Recipes

/// Who follows a group is told of real members only, and in the end of exactly those who are there.
///
/// A client that has come to an end looks once more at the newest state; what it was told last must be how the group
/// was then or later. Source: DESIGN section 8, group membership; documentation of `Group`.
struct Followers: RecipeJudge {
    static let name = "group: followers are told of those who are there"

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places where place.family == .group {
            let lives = run.history.lives(below: place.path)
            for (journal, isAlive) in run.journals {
                let pictures = journal.pictures.filter { $0.path == place.path }
                for picture in pictures {
                    for member in picture.members {
                        let node = place.path + "/" + member.name
                        guard let life = run.history.life(of: node, created: member.incarnation),
                            life.owner == member.session, life.created <= picture.seenAt
                        else { return "\(node), made at \(member.incarnation), was told and was never a member" }
                    }
                }
                guard isAlive, let look = journal.lastLook else { continue }
                guard let last = pictures.last(where: { $0.session == journal.session }) else {
                    return "client \(journal.process) follows \(place.path) and was told nothing"
                }
                if let finding = compare(last, with: lives, from: look) { return finding }
            }
        }
        return nil
    }

    /// Whether the group looked so at a state from a certain one on.
    private static func compare(
        _ picture: RecipeJournal.Picture, with lives: [RecipeHistory.Life], from look: Zxid
    ) -> String? {
        let told = picture.members.map(\.incarnation).sorted()
        let changes = lives.flatMap { [$0.created, $0.deleted].compactMap(\.self) }.filter { $0 > look }
        for moment in [look] + changes.sorted() {
            if lives.filter({ $0.isThere(at: moment) }).map(\.created).sorted() == told { return nil }
        }
        let names = picture.members.map(\.name).joined(separator: ", ")
        return "[\(names)] was told last, and the group never looked so from \(look) on"
    }
}
